"""Character n-grams as Rasa features: the spelling beside the meaning."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.sparse_featurizer.sparse_featurizer import SparseFeaturizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from sklearn.feature_extraction.text import TfidfVectorizer

from components.text import normalise

_FILE = "ngrams.json"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class NgramFeaturizer(SparseFeaturizer, GraphComponent):
    """Gives each message one sparse sentence feature of unit length: the TF-IDF weights of its character
    n-grams, one to four characters within words (a Chinese sentence counts as one).

    A sentence embedding knows what ``提币`` and ``withdraw`` have in common; n-grams know ``trc20``, ``502``
    and a typo for what they are. Needs no tokenizer and adds no sequence features.
    """

    @classmethod
    def required_components(cls) -> list[type]:
        return []

    @staticmethod
    def required_packages() -> list[str]:
        return ["sklearn"]

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """There is nothing to configure."""

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> NgramFeaturizer:
        return cls(execution_context.node_name, config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> NgramFeaturizer:
        component = cls.create(config, model_storage, resource, execution_context)
        with model_storage.read_from(resource) as folder:
            stored = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        component._vectorizer = _vectorizer(stored["vocabulary"])
        component._vectorizer.idf_ = np.array(stored["idf"])
        return component

    def __init__(self, name: str, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        super().__init__(name, config)
        self._storage = model_storage
        self._resource = resource
        self._vectorizer = _vectorizer()

    def train(self, training_data: TrainingData) -> Resource:
        texts = [_spelling(message) for message in training_data.training_examples]
        # What occurs once says nothing about any other message.
        self._vectorizer.min_df = min(2, len(texts))
        self._vectorizer.fit(texts)
        vocabulary = {ngram: int(column) for ngram, column in self._vectorizer.vocabulary_.items()}
        stored = {"vocabulary": vocabulary, "idf": self._vectorizer.idf_.tolist()}
        # JSON: a model file is data and must not be able to run code when it is loaded.
        with self._storage.write_to(self._resource) as folder:
            (folder / _FILE).write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        rows = self._vectorizer.transform([_spelling(message) for message in messages])
        for message, row in zip(messages, rows, strict=True):
            message.add_features(Features(row, FEATURE_TYPE_SENTENCE, TEXT, self._identifier))
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        self.process(training_data.training_examples)
        return training_data


def _vectorizer(vocabulary: dict[str, int] | None = None) -> TfidfVectorizer:
    return TfidfVectorizer(
        vocabulary=vocabulary, analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, lowercase=False
    )


def _spelling(message: Message) -> str:
    return normalise(message.get(TEXT)).casefold()
