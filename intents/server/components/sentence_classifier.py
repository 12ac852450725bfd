"""Kernel ridge regression over meaning and spelling, with calibrated probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.exceptions import InvalidConfigException, RasaException
from rasa.shared.nlu.constants import INTENT, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, vstack
from scipy.special import log_softmax, softmax

_FILE = "sentence_classifier.npz"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class SentenceClassifier(GraphComponent, IntentClassifier):
    """Ranks every intent by probability; the probabilities sum to 1.

    Two messages are alike as their embeddings are (dense features) and as their spelling is (sparse ones).
    Embeddings of one domain lie in a narrow cone, so the training mean is taken off first and what is left
    is brought to unit length. On this likeness a ridge regression with a Gaussian kernel, one output for each
    intent, is trained in closed form, and so are its leave-one-out scores: what it says of each example when
    trained on all others. They set the one temperature that makes the scores probabilities.

    Time grows with the cube of the examples, memory with the square: 6,500 take a gigabyte for seconds.
    """

    @classmethod
    def required_components(cls) -> list[type]:
        return [Featurizer]

    @staticmethod
    def required_packages() -> list[str]:
        return ["scipy"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {
            # How fast likeness falls with distance: exp(-gamma * distance squared).
            "gamma": 0.35,
            # How little a single example is believed.
            "ridge": 0.05,
            # The share of the spelling in the likeness, 0 to 1.
            "spelling": 0.2,
        }

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SentenceClassifier:
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> SentenceClassifier:
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder, np.load(folder / _FILE) as arrays:
            component._names = arrays["names"].tolist()
            component._mean = arrays["mean"]
            component._examples = arrays["examples"]
            parts = (arrays["ngram_values"], arrays["ngram_columns"], arrays["ngram_starts"])
            component._ngrams = csr_matrix(parts, shape=tuple(arrays["ngram_shape"]))
            component._weights = arrays["weights"]
            component._bias = arrays["bias"]
        return component

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = config
        self._storage = model_storage
        self._resource = resource
        self._names: list[str] = []

    def train(self, training_data: TrainingData) -> Resource:
        """Fit, calibrate and persist. Needs examples of at least two intents."""
        messages = training_data.intent_examples
        intents, targets = np.unique([message.get(INTENT) for message in messages], return_inverse=True)
        if len(intents) < 2:
            raise InvalidConfigException("The classifier needs examples of at least two intents.")

        embeddings, ngrams = _features(messages)
        self._names = intents.tolist()
        self._mean = embeddings.mean(axis=0)
        self._examples = self._centred(embeddings)
        self._ngrams = ngrams.T.tocsr()
        wanted = np.eye(len(intents))[targets]
        self._bias = wanted.mean(axis=0)
        kernel = self._kernel(self._examples, ngrams).astype(np.float64)
        kernel[np.diag_indices_from(kernel)] += self._config["ridge"]
        inverse = cho_solve(cho_factor(kernel), np.eye(len(kernel)))
        self._weights = inverse @ (wanted - self._bias)
        left_out = wanted - self._weights / np.diag(inverse)[:, np.newaxis]
        temperature = _fit_temperature(left_out, targets)
        self._weights = (self._weights / temperature).astype(np.float32)
        self._bias = self._bias / temperature
        self._persist()
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        if not messages:
            return messages
        embeddings, ngrams = _features(messages)
        scores = self._kernel(self._centred(embeddings), ngrams) @ self._weights + self._bias
        for message, row in zip(messages, softmax(scores, axis=1), strict=True):
            ranking = [{"name": self._names[i], "confidence": float(row[i])} for i in np.argsort(-row)]
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)
        return messages

    def _centred(self, features: np.ndarray) -> np.ndarray:
        centred = features - self._mean
        return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)

    def _kernel(self, embeddings: np.ndarray, ngrams: csr_matrix) -> np.ndarray:
        """The likeness, 0 to 1, of each input to each example, shape (inputs, examples)."""
        spelling = self._config["spelling"]
        cosine = (1 - spelling) * (embeddings @ self._examples.T)
        cosine += spelling * (ngrams @ self._ngrams).toarray()
        # Of unit vectors, the squared distance is 2 - 2 cosine.
        return np.exp(2 * self._config["gamma"] * (cosine - 1))

    def _persist(self) -> None:
        # Plain arrays: a model file is data and must not be able to run code when it is loaded.
        with self._storage.write_to(self._resource) as folder:
            np.savez(
                folder / _FILE,
                names=np.array(self._names),
                mean=self._mean,
                examples=self._examples,
                ngram_values=self._ngrams.data,
                ngram_columns=self._ngrams.indices,
                ngram_starts=self._ngrams.indptr,
                ngram_shape=self._ngrams.shape,
                weights=self._weights,
                bias=self._bias,
            )


def _features(messages: list[Message]) -> tuple[np.ndarray, csr_matrix]:
    """Embeddings and n-grams, one row a message each."""
    embeddings, ngrams = [], []
    for message in messages:
        _, dense = message.get_dense_features(TEXT)
        _, sparse = message.get_sparse_features(TEXT)
        if dense is None or sparse is None:
            raise RasaException("SentenceClassifier needs a dense and a sparse sentence feature of every message.")
        embeddings.append(dense.features[0])
        ngrams.append(sparse.features)
    return np.stack(embeddings), vstack(ngrams, format="csr")


def _fit_temperature(scores: np.ndarray, targets: np.ndarray) -> float:
    """The divisor of the scores under which ``targets`` are likeliest. Shapes (n, intents) and (n,)."""
    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        scaled = scores / np.exp(log_temperature)
        return float(-log_softmax(scaled, axis=1)[rows, targets].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
