"""Character n-grams as Rasa features: the spelling beside the meaning."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
from encoders.text import normalise
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.sparse_featurizer.sparse_featurizer import SparseFeaturizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

_FILE = "ngrams.json"

_KNOWN = 0.8
"""The share of its characters that must have occurred in the examples for a message's spelling to count."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class NgramFeaturizer(SparseFeaturizer, GraphComponent):
    """Gives each message one sparse sentence feature of unit length: the TF-IDF weights of its character
    n-grams, one to four characters within words (a Chinese sentence counts as one).

    A sentence embedding knows what ``提币`` and ``withdraw`` have in common; n-grams know ``trc20``, ``502``
    and a typo for what they are. Of a message in a script without examples they know nothing, and say so: it gets a
    row of zeros. Needs no tokenizer and adds no sequence features.
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
        component._columns, component._rarity = stored["columns"], np.array(stored["rarity"])
        return component

    def __init__(self, name: str, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        super().__init__(name, config)
        self._storage = model_storage
        self._resource = resource
        self._ngrams = _vectorizer().build_analyzer()
        self._columns: dict[str, int] = {}
        self._rarity = np.zeros(0)

    def train(self, training_data: TrainingData) -> Resource:
        texts = [_spelling(message) for message in training_data.training_examples if message.get(TEXT) is not None]
        # What occurs once says nothing about any other message.
        fitted = _vectorizer(min_df=min(2, len(texts))).fit(texts)
        self._columns = {ngram: int(column) for ngram, column in fitted.vocabulary_.items()}
        self._rarity = fitted.idf_
        stored = {"columns": self._columns, "rarity": self._rarity.tolist()}
        # JSON: a model file is data and must not be able to run code when it is loaded.
        with self._storage.write_to(self._resource) as folder:
            (folder / _FILE).write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            if message.get(TEXT) is None:
                continue  # of a bare intent or action, as Rasa's dialogue policies bring them
            message.add_features(Features(self._row(message), FEATURE_TYPE_SENTENCE, TEXT, self._identifier))
        return messages

    def _row(self, message: Message) -> csr_matrix:
        """What ``TfidfVectorizer.transform`` gives for one text, in a sixth of its time; zeros for a text in
        a script without examples."""
        columns = self._columns
        ngrams = self._ngrams(_spelling(message))
        characters = [ngram in columns for ngram in ngrams if len(ngram) == 1]
        known = sum(characters) >= _KNOWN * len(characters)
        counts = Counter(columns[ngram] for ngram in ngrams if ngram in columns) if known else {}
        found = np.fromiter(counts, np.int32, len(counts))
        values = (1 + np.log(np.fromiter(counts.values(), np.float64, len(counts)))) * self._rarity[found]
        values /= max(float(np.sqrt(values @ values)), 1e-9)
        return csr_matrix((values.astype(np.float32), found, np.array([0, len(found)])), (1, len(columns)))

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        self.process(training_data.training_examples)
        return training_data


def _vectorizer(**options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, lowercase=False, **options)


def _spelling(message: Message) -> str:
    return normalise(message.get(TEXT)).casefold()
