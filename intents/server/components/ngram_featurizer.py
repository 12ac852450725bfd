"""Character n-grams as Rasa features: the spelling beside the meaning."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from encoders.text import spelling
from rasa.engine.graph import GraphComponent
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

from components.trained_featurizer import TrainedFeaturizer

_KNOWN = 0.8
"""The share of its characters that must have occurred in the examples for a message's spelling to count."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class NgramFeaturizer(TrainedFeaturizer, SparseFeaturizer, GraphComponent):
    """Gives each message one sparse sentence feature of unit length: the TF-IDF weights of its character
    n-grams, one to four characters within words (a Chinese sentence counts as one).

    A sentence embedding knows what ``提币`` and ``withdraw`` have in common; n-grams know ``trc20``, ``502``
    and a typo for what they are. Of a message in a script without examples they know nothing, and say so: it gets a
    row of zeros. Needs no tokenizer and adds no sequence features.
    """

    FILE = "ngrams.json"

    @staticmethod
    def required_packages() -> list[str]:
        return ["sklearn"]

    def __init__(self, name: str, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        super().__init__(name, config, model_storage, resource)
        self._ngrams = _vectorizer().build_analyzer()
        self._columns: dict[str, int] = {}
        self._rarity = np.zeros(0)

    def train(self, training_data: TrainingData) -> Resource:
        texts = [
            spelling(message.get(TEXT)) for message in training_data.training_examples if message.get(TEXT) is not None
        ]
        # What occurs once says nothing about any other message.
        fitted = _vectorizer(min_df=min(2, len(texts))).fit(texts)
        columns = {ngram: int(column) for ngram, column in fitted.vocabulary_.items()}
        return self._keep({"columns": columns, "rarity": fitted.idf_.tolist()})

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
        ngrams = self._ngrams(spelling(message.get(TEXT)))
        characters = [ngram in columns for ngram in ngrams if len(ngram) == 1]
        known = sum(characters) >= _KNOWN * len(characters)
        counts = Counter(columns[ngram] for ngram in ngrams if ngram in columns) if known else {}
        found = np.fromiter(counts, np.int32, len(counts))
        values = (1 + np.log(np.fromiter(counts.values(), np.float64, len(counts)))) * self._rarity[found]
        values /= max(float(np.sqrt(values @ values)), 1e-9)
        return csr_matrix((values.astype(np.float32), found, np.array([0, len(found)])), (1, len(columns)))

    def _use(self, stored: dict[str, Any]) -> None:
        self._columns, self._rarity = stored["columns"], np.array(stored["rarity"])


def _vectorizer(**options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, lowercase=False, **options)
