"""Kernel ridge regression over meaning and spelling, with a verdict on its own answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from encoders.text import is_chinese
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.exceptions import InvalidConfigException, RasaException
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, INTENT, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, vstack
from scipy.special import expit, log_softmax, softmax
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from components.ridge import NEIGHBOURS, Dense, Judged, Ridge, known

_FILE = "sentence_classifier.npz"
_OUT_OF_SCOPE = "out_of_scope"
_FEW = 0.05
"""A share of the examples too small to train for."""
_ENOUGH = 25
"""Examples of an intent that make those in other languages superfluous."""
_EVERY = 2
"""Of the examples that the specialists' own ridge judges, every so many teach the other ridge, too: its time grows with
the cube of the examples. Measured: 0.2 points of top-1 for half the time."""
_KINDS = 30
"""Kinds that the out-of-scope examples are told apart by, by likeness."""
_FOLDS = 5
"""A share of one in so many of the kinds is left out at a time."""
_DOUBT = 4
"""Examples of an intent with as many names as all examples have on average that are counted besides its own: few
examples say little of which names go with an intent."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class SentenceClassifier(GraphComponent, IntentClassifier):
    """Ranks every intent; the best one's confidence is the probability that it is right.

    **Scores** come from a ``Ridge`` over the dense features, told apart by alias, and the n-grams. An encoder that
    knows one language only is a specialist: where it has a share in the examples of its language, they seem less
    like messages of others. So there are two ridges, with and without the specialists, and each message is judged by
    the one that suits it. Leave-one-out scores set the temperatures that make a softmax of the scores the likeliest.

    **Verdict.** Whether to believe the best intent is a question of its own: a message about nothing known
    resembles no example, whatever the softmax says. A logistic regression, trained on the leave-one-out scores,
    answers it from the softmax, the scores, their margin, the score of ``out_of_scope``, the nearest examples, and
    the names in the message: "from Binance" goes with a transfer that has not arrived, but who cannot log in to Binance
    means somebody else. How often each intent's examples have names, and how often those out of scope, tells that.
    Messages in languages with few examples are like fewer of them, and judged rightly as often: it has to know that.
    What customers ask that is none of the topics is of more kinds than anybody writes examples of. So it learns from
    each out-of-scope example a second time, as it is judged when nothing of its kind was learnt.
    """

    @classmethod
    def required_components(cls) -> list[type]:
        return [Featurizer]

    @staticmethod
    def required_packages() -> list[str]:
        return ["scipy", "sklearn"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        return {
            # The share of each featurizer in the likeness, by alias; only proportions count.
            "weights": {"e5": 1.0, "minilm": 0.8, "use": 0.5, "ngrams": 0.2},
            # Those of them that know one language only.
            "specialists": ["minilm"],
            # The featurizer of which only the verdict learns.
            "names": "names",
            # How fast likeness falls with distance: exp(-gamma * distance squared).
            "gamma": 1.0,
            # How little a single example is believed.
            "ridge": 0.05,
            # Directions kept of all dense features: no less accurate than all of them, and a fifth of the work.
            "directions": 256,
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
            component._restore({name: arrays[name] for name in arrays.files})
        return component

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = config
        self._storage = model_storage
        self._resource = resource
        self._names: list[str] = []
        self._aliases: list[str] = []
        """The encoders that the ridges were trained with; a pipeline may have fewer than the weights name."""
        self._ridges: dict[bool, Ridge] = {}
        """With the specialists (True) and without; one of them where the other would have nobody to judge."""
        self._temperatures: dict[bool, float] = {}
        self._verdict = np.zeros(0)
        self._habits = np.zeros((0, 0))
        """How often, as a logarithm, an intent's examples have a name of each list; in the last column, of none."""

    def train(self, training_data: TrainingData) -> Resource:
        """Fit, calibrate and persist. Needs examples of at least two intents."""
        messages = training_data.intent_examples
        intents, targets = np.unique([message.get(INTENT) for message in messages], return_inverse=True)
        if len(intents) < 2:
            raise InvalidConfigException("The classifier needs examples of at least two intents.")

        self._names = intents.tolist()
        dense, sparse, named = self._features(messages)
        self._aliases = sorted(dense)
        special = self._special(dense)
        kinds = [kind for kind in (False, True) if (special == kind).mean() >= _FEW]
        if set(dense) <= set(self._config["specialists"]):
            kinds = [True]
        self._ridges = {kind: self._ridge(kind) for kind in kinds}
        wanted = np.eye(len(intents))[targets]
        folds = self._folds(dense, targets)
        # Each example without itself, and then without its kind.
        scores, nearest = np.zeros((2, *wanted.shape)), np.zeros((2, len(wanted), NEIGHBOURS))
        enough = len(self._ridges) > 1 and _enough(targets[special], len(intents))
        for kind, ridge in self._ridges.items():
            judged = special == kind if len(self._ridges) > 1 else np.full(len(special), True)
            learnt = _learnt(judged, kind) if enough else np.full(len(special), True)
            groups = [np.flatnonzero(folds[learnt] == fold) for fold in range(_FOLDS)]
            found = self._fit(ridge, _of(dense, learnt), sparse[learnt], wanted[learnt], groups)
            own = judged[learnt]
            self._temperatures[kind] = _fit_temperature(found[0][0][own], targets[judged])
            for without, (left_out, neighbours) in enumerate(found):
                scores[without, judged] = left_out[own] / self._temperatures[kind]
                nearest[without, judged, : neighbours.shape[1]] = neighbours[own]
        self._habits = _habits(named, targets, len(intents))
        foreign = self._foreign(messages, special)
        evidence, best = self._evidence(scores[0], nearest[0], named, foreign)
        alone = folds >= 0
        again, best_again = self._evidence(scores[1, alone], nearest[1, alone], named[alone], foreign[alone])
        best, targets = np.append(best, best_again), np.append(targets, targets[alone])
        self._verdict = _fit_verdict(np.concatenate((evidence, again)), best == targets, self._in_scope(best))
        self._persist()
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        if not messages:
            return messages
        dense, sparse, named = self._features(messages)
        special = self._special(dense)
        scores, nearest = np.zeros((len(messages), len(self._names))), np.zeros((len(messages), NEIGHBOURS))
        for kind, ridge in self._ridges.items():
            judged = np.flatnonzero(special == kind) if len(self._ridges) > 1 else np.arange(len(messages))
            if len(judged):
                found, neighbours = ridge.scores(_of(dense, judged), sparse[judged])
                scores[judged] = found / self._temperatures[kind]
                nearest[judged, : neighbours.shape[1]] = neighbours
        evidence, best = self._evidence(scores, nearest, named, self._foreign(messages, special))
        confidences = self._confidences(softmax(scores, axis=1), evidence, best)
        # By score: of a message that is believed little, others get as much as the best.
        orders = np.argsort(-scores, axis=1, kind="stable")
        for message, row, order in zip(messages, confidences, orders, strict=True):
            ranking = [{"name": self._names[i], "confidence": float(row[i])} for i in order]
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)
        return messages

    # --- features and scores ------------------------------------------------------------------------

    def _features(self, messages: list[Message]) -> tuple[Dense, csr_matrix, np.ndarray]:
        """The dense features by alias, the sparse ones, and of which lists there are names (a last column: of none),
        one row a message each."""
        weights = self._config["weights"]
        names: list[np.ndarray] = []
        dense: dict[str, list[np.ndarray]] = {}
        sparse: list[csr_matrix] = []
        for message in messages:
            for feature in message.features:
                if feature.attribute != TEXT or feature.type != FEATURE_TYPE_SENTENCE:
                    continue
                if feature.origin == self._config["names"]:
                    names.append(feature.features[0])
                    continue
                if feature.origin not in weights:
                    raise RasaException(
                        f"SentenceClassifier has no weight for {feature.origin!r}. Give that featurizer one of the "
                        f"aliases {', '.join(weights)}, or add its alias to the weights."
                    )
                if feature.is_sparse():
                    sparse.append(feature.features)
                else:
                    dense.setdefault(feature.origin, []).append(feature.features[0])
        incomplete = [alias for alias, rows in dense.items() if len(rows) != len(messages)]
        if not dense or incomplete or len(sparse) not in (0, len(messages)):
            raise RasaException(
                "SentenceClassifier needs one sentence feature of each of its featurizers for every message. "
                f"In the pipeline, each needs its alias ({', '.join(weights)}) and must stand before the classifier."
            )
        nothing = csr_matrix((len(messages), 0), dtype=np.float32)
        joined = vstack(sparse, "csr") if len(sparse) > 1 else sparse[0] if sparse else nothing
        # Without lists nothing is named.
        named = np.stack(names) if len(names) == len(messages) else np.zeros((len(messages), 0))
        named = np.column_stack((named, ~named.any(axis=1)))
        return {alias: np.stack(rows) for alias, rows in dense.items()}, joined, named

    def _foreign(self, messages: list[Message], special: np.ndarray) -> np.ndarray:
        """Whether each message is in a language with few examples: neither a specialist's nor Chinese."""
        texts = [message.get(TEXT) for message in messages]
        return ~special & [not is_chinese(text) for text in texts]

    def _special(self, dense: Dense) -> np.ndarray:
        """Whether any specialist knows the message."""
        rows = [known(dense[alias])[:, 0] for alias in self._config["specialists"] if alias in dense]
        return np.any(rows, axis=0) if rows else np.full(len(next(iter(dense.values()))), False)

    def _ridge(self, special: bool) -> Ridge:
        left_out = () if special else self._config["specialists"]
        weights = {alias: self._config["weights"][alias] for alias in self._aliases if alias not in left_out}
        return Ridge(weights, self._config["weights"].get("ngrams", 0.0), self._config["gamma"])

    def _folds(self, dense: Dense, targets: np.ndarray) -> np.ndarray:
        """Which out-of-scope examples are left out together: whole kinds of them; -1 of all others."""
        folds = np.full(len(targets), -1)
        outside = [number for number, name in enumerate(self._names) if name == _OUT_OF_SCOPE]
        own = np.flatnonzero(np.isin(targets, outside))
        if len(own) < _KINDS * _FOLDS:
            return folds  # too few to tell kinds apart
        # By the encoders that know every language: by the others, English would be a kind of its own.
        general = [alias for alias in self._aliases if alias not in self._config["specialists"]] or self._aliases
        vectors = np.concatenate([dense[alias][own] - dense[alias][own].mean(axis=0) for alias in general], axis=1)
        kinds = KMeans(_KINDS, n_init=3, random_state=0).fit_predict(vectors)
        folds[own] = kinds % _FOLDS
        return folds

    def _fit(
        self, ridge: Ridge, dense: Dense, sparse: csr_matrix, wanted: np.ndarray, groups: list[np.ndarray]
    ) -> tuple[Judged, Judged]:
        settings = {name: self._config[name] for name in ("ridge", "directions")}
        try:
            return ridge.fit(dense, sparse, wanted, groups=groups, **settings)
        except ValueError as error:
            raise RasaException(f"SentenceClassifier cannot be trained: {error}.") from error

    # --- confidence -------------------------------------------------------------------------------

    def _evidence(
        self, scores: np.ndarray, nearest: np.ndarray, named: np.ndarray, foreign: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the verdict judges by, one row a message, and the best intent's number."""
        best = scores.argmax(axis=1)
        probability = softmax(scores, axis=1).max(axis=1)
        first, second = -np.partition(-scores, 1, axis=1)[:, :2].T
        beside = scores[:, self._names.index(_OUT_OF_SCOPE)] if _OUT_OF_SCOPE in self._names else np.zeros(len(scores))
        odds = np.log(probability + 1e-6) - np.log1p(1e-6 - probability)
        like = (nearest[:, 0], nearest.mean(axis=1))
        return np.stack((odds, first, first - second, beside, *like, self._usual(named, best), foreign), axis=1), best

    def _usual(self, named: np.ndarray, best: np.ndarray) -> np.ndarray:
        """How much likelier the names of each message are with its best intent than out of scope, as a logarithm."""
        if _OUT_OF_SCOPE not in self._names or named.shape[1] != self._habits.shape[1]:
            return np.zeros(len(best))
        likelier = self._habits[best] - self._habits[self._names.index(_OUT_OF_SCOPE)]
        usual: np.ndarray = (likelier * named).sum(axis=1) / named.sum(axis=1)
        return usual

    def _in_scope(self, best: np.ndarray) -> np.ndarray:
        return np.array([name != _OUT_OF_SCOPE for name in self._names])[best]

    def _confidences(self, probabilities: np.ndarray, evidence: np.ndarray, best: np.ndarray) -> np.ndarray:
        """The verdict on the best intent, and what is left shared among the others as the softmax has it; none of
        them gets more than the best."""
        if not len(self._verdict):
            return probabilities
        rows = np.arange(len(best))
        # A model of an earlier version has learnt from fewer columns.
        slopes = self._verdict[:-1]
        verdict = expit(evidence[:, : len(slopes)] @ slopes + self._verdict[-1])
        sure = np.where(self._in_scope(best), verdict, probabilities[rows, best])
        share = (1 - sure) / np.maximum(1 - probabilities[rows, best], 1e-9)
        confidences = np.minimum(probabilities * share[:, np.newaxis], sure[:, np.newaxis])
        confidences[rows, best] = sure
        return confidences

    # --- storage ----------------------------------------------------------------------------------

    def _persist(self) -> None:
        arrays = {"names": np.array(self._names), "aliases": np.array(self._aliases), "verdict": self._verdict}
        arrays["habits"] = self._habits
        for kind, ridge in self._ridges.items():
            parts = {"temperature": np.array(self._temperatures[kind]), **ridge.arrays()}
            arrays.update({f"{_part(kind)}{name}": values for name, values in parts.items()})
        # Plain arrays: a model file is data and must not be able to run code when it is loaded.
        with self._storage.write_to(self._resource) as folder:
            np.savez(folder / _FILE, **arrays)

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self._names = arrays["names"].tolist()
        self._aliases = arrays["aliases"].tolist()
        self._verdict = arrays["verdict"]
        self._habits = arrays.get("habits", self._habits)
        for kind in (False, True):
            start = _part(kind)
            parts = {name.removeprefix(start): values for name, values in arrays.items() if name.startswith(start)}
            if parts:
                self._temperatures[kind] = float(parts["temperature"])
                self._ridges[kind] = self._ridge(kind)
                self._ridges[kind].restore(parts)


def _of(dense: Dense, rows: np.ndarray) -> Dense:
    return {alias: vectors[rows] for alias, vectors in dense.items()}


def _learnt(judged: np.ndarray, special: bool) -> np.ndarray:
    """Which examples a ridge learns from, where the specialists' has enough of its own."""
    if special:
        return judged
    learnt = judged.copy()
    learnt[np.flatnonzero(~judged)[::_EVERY]] = True
    return learnt


def _enough(targets: np.ndarray, intents: int) -> bool:
    """Whether each intent has examples enough of its own to be told from all others by them alone."""
    return bool((np.bincount(targets, minlength=intents) >= _ENOUGH).all())


def _habits(named: np.ndarray, targets: np.ndarray, intents: int) -> np.ndarray:
    """The share of each intent's examples with a name of each list, as a logarithm; shape (intents, lists + 1)."""
    usual = np.maximum(named.mean(axis=0), 1 / len(named))
    counts = np.stack([named[targets == intent].sum(axis=0) for intent in range(intents)])
    shares: np.ndarray = np.log((counts + _DOUBT * usual) / (np.bincount(targets)[:, np.newaxis] + _DOUBT))
    return shares


def _part(special: bool) -> str:
    return "special/" if special else "general/"


def _fit_temperature(scores: np.ndarray, targets: np.ndarray) -> float:
    """The divisor of the scores under which ``targets`` are likeliest. Shapes (n, intents) and (n,)."""
    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        scaled = scores / np.exp(log_temperature)
        return float(-log_softmax(scaled, axis=1)[rows, targets].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 3), method="bounded").x))


def _fit_verdict(evidence: np.ndarray, right: np.ndarray, in_scope: np.ndarray) -> np.ndarray:
    """Coefficients and intercept of P(right | evidence); empty where there is nothing to learn from, because
    everything or nothing is right. Trained on what would be answered, which out of scope is not."""
    evidence, right = evidence[in_scope], right[in_scope]
    if len(right) < 50 or right.all() or not right.any():
        return np.zeros(0)
    mean, spread = evidence.mean(axis=0), evidence.std(axis=0) + 1e-9
    fitted = LogisticRegression(max_iter=1000).fit((evidence - mean) / spread, right)
    slopes = fitted.coef_[0] / spread
    return np.append(slopes, fitted.intercept_[0] - slopes @ mean)
