"""The pipeline's own classifier, alone. The whole pipeline: ``tests/integration/test_engine_rasa.py``."""

from __future__ import annotations

import unittest
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, cycle, islice
from typing import Any
from unittest.mock import patch

import numpy as np
from components.sentence_classifier import SentenceClassifier
from rasa.engine.storage.resource import Resource
from rasa.shared.exceptions import InvalidConfigException, RasaException
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, INTENT, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix

from tests.server.cases import ComponentCase

SIZES = {"e5": 96, "minilm": 48}
NGRAMS = 60


class Corpus:
    """Messages whose features lie about the centre of their intent, or anywhere.

    The second encoder knows two of three messages, the n-grams five of six.
    """

    def __init__(self, intents: Sequence[str], noise: float, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._noise = noise
        self._numbers = count()
        # All lie in a cone, as embeddings do.
        self._cone = {alias: self._random.normal(size=size) * 2 for alias, size in SIZES.items()}
        self.centres = {
            intent: {alias: self._random.normal(size=size) for alias, size in {**SIZES, "ngrams": NGRAMS}.items()}
            for intent in intents
        }

    def messages(self, intent: str, number: int) -> list[Message]:
        return [self._message(intent, self.centres[intent], place) for place in range(number)]

    def strange(self, number: int, intent: str | None = None) -> list[Message]:
        """Like no other message."""
        nowhere = {"e5": 0.0, "minilm": 0.0, "ngrams": 0.0}
        return [self._message(intent, nowhere, place) for place in range(number)]

    def kind(self, centre: Mapping[str, Any], number: int) -> list[Message]:
        """Out of scope, about a centre of its own."""
        return [self._message("out_of_scope", centre, place) for place in range(number)]

    def training_data(self, each: int, strange: int = 0) -> TrainingData:
        """So many of each intent, and so many more that are only called so."""
        return TrainingData(
            [
                message
                for intent in self.centres
                for message in (*self.messages(intent, each), *self.strange(strange, intent))
            ]
        )

    def _message(self, intent: str | None, centre: Mapping[str, Any], place: int) -> Message:
        # Training data has each text once.
        message = Message(data={TEXT: str(next(self._numbers)), **({INTENT: intent} if intent else {})})
        for alias, cone in self._cone.items():
            vector = _unit(cone + centre[alias] + self._noise * self._random.normal(size=len(cone)))
            known = alias != "minilm" or place % 3 > 0
            self._add(message, alias, (vector * known).astype(np.float32)[np.newaxis])
        row = np.maximum(centre["ngrams"] + self._noise * self._random.normal(size=NGRAMS), 0)
        self._add(message, "ngrams", csr_matrix((_unit(row) * (place % 6 > 0)).astype(np.float32)))
        return message

    def _add(self, message: Message, alias: str, features: Any) -> None:
        message.add_features(Features(features, FEATURE_TYPE_SENTENCE, TEXT, alias))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def dense(messages: Sequence[Message], alias: str) -> np.ndarray:
    """The features of one encoder, or the n-grams, one row a message."""
    rows = (next(f.features for f in message.features if f.origin == alias) for message in messages)
    return np.concatenate([row.toarray() if alias == "ngrams" else row for row in rows])


def without(messages: Iterable[Message], *aliases: str) -> list[Message]:
    """Copies that lack some features."""
    copies = []
    for message in messages:
        copies.append(Message(data=dict(message.data)))
        for feature in message.features:
            if feature.origin not in aliases:
                copies[-1].add_features(feature)
    return copies


class Classifier(ComponentCase):
    INTENTS = ("fee", "login", "password", "transfer")

    def trained(self, corpus: Corpus, each: int = 30, strange: int = 0) -> SentenceClassifier:
        classifier = self.make(SentenceClassifier)
        classifier.train(corpus.training_data(each, strange))
        return classifier

    def confidences(self, classifier: SentenceClassifier, messages: list[Message]) -> np.ndarray:
        """By name of intent, one row a message."""
        classifier.process(messages)
        rankings = (sorted(message.get(INTENT_RANKING_KEY), key=lambda entry: entry["name"]) for message in messages)
        return np.array([[entry["confidence"] for entry in ranking] for ranking in rankings])

    def mixed(self, corpus: Corpus, each: int) -> list[Message]:
        """Of every intent, and strange ones."""
        return [message for intent in self.INTENTS for message in corpus.messages(intent, each)] + corpus.strange(each)

    def test_it_learns_what_can_be_told_apart(self) -> None:
        corpus = Corpus(self.INTENTS, noise=0.4)
        classifier = self.trained(corpus)
        for intent in self.INTENTS:
            messages = classifier.process(corpus.messages(intent, 25))
            self.assertEqual([message.get(INTENT)["name"] for message in messages], [intent] * 25)
            self.assertGreater(np.mean([message.get(INTENT)["confidence"] for message in messages]), 0.8)

    def test_fewer_featurizers_will_do(self) -> None:
        corpus = Corpus(self.INTENTS, noise=0.4)
        examples = corpus.training_data(30).training_examples
        asked = [message for intent in self.INTENTS for message in corpus.messages(intent, 25)]
        for absent in (("minilm", "ngrams"), ("ngrams",), ("minilm",)):
            with self.subTest(absent=absent):
                classifier = self.make(SentenceClassifier)
                classifier.train(TrainingData(without(examples, *absent)))
                messages = classifier.process(without(asked, *absent))
                found = [message.get(INTENT)["name"] for message in messages]
                self.assertEqual(found, [intent for intent in self.INTENTS for _ in range(25)])
                loaded = self.make(SentenceClassifier, "load")
                again = self.confidences(loaded, without(asked, *absent))
                np.testing.assert_array_equal(again, self.confidences(classifier, without(asked, *absent)))

    def test_the_second_encoder_helps_where_it_knows_the_message(self) -> None:
        # The first encoder and the n-grams hear nothing but noise.
        corpus = Corpus(self.INTENTS, noise=0.4)
        for centre in corpus.centres.values():
            centre.update(e5=0.0, ngrams=0.0)
        classifier = self.trained(corpus)
        asked = [message for intent in self.INTENTS for message in corpus.messages(intent, 60)]
        wanted = [message.get(INTENT) for message in asked]
        known = dense(asked, "minilm").any(axis=1)
        found = [message.get(INTENT)["name"] for message in classifier.process(asked)]
        right = np.array([name == intent for name, intent in zip(found, wanted, strict=True)])
        self.assertGreater(right[known].mean(), 0.95)
        self.assertLess(right[~known].mean(), 0.6)

    def test_what_no_specialist_knows_is_ranked_as_if_there_were_none(self) -> None:
        corpus = Corpus(self.INTENTS, noise=2.0)
        examples = corpus.training_data(30).training_examples
        asked = [message for message in self.mixed(corpus, 30) if not dense([message], "minilm").any()]
        classifier, simple = self.make(SentenceClassifier), self.make(SentenceClassifier)
        classifier.train(TrainingData(examples))
        simple.train(TrainingData(without(examples, "minilm")))
        rankings = [
            [[entry["name"] for entry in message.get(INTENT_RANKING_KEY)] for message in messages]
            for messages in (classifier.process(asked), simple.process(without(asked, "minilm")))
        ]
        self.assertEqual(len(asked), 50)
        self.assertEqual(*rankings)

    def test_a_specialist_learns_from_what_it_knows_where_that_is_enough(self) -> None:
        corpus = Corpus(self.INTENTS, noise=2.0)
        examples = corpus.training_data(45).training_examples
        theirs = [message for message in examples if dense([message], "minilm").any()]
        asked = [message for message in self.mixed(corpus, 30) if dense([message], "minilm").any()]
        classifier, alone, few = (self.make(SentenceClassifier) for _ in range(3))
        classifier.train(TrainingData(examples))
        alone.train(TrainingData(theirs))
        found = [[message.get(INTENT_RANKING_KEY) for message in each.process(asked)] for each in (classifier, alone)]
        names = [[[entry["name"] for entry in ranking] for ranking in rankings] for rankings in found]
        self.assertEqual(*names)
        # One intent short of enough, and all examples count again.
        short = [*examples[:24], *examples[45:]]
        few.train(TrainingData(short))
        self.assertEqual(len(few._ridges[True].arrays()["answers"]), len(short))
        self.assertEqual(len(classifier._ridges[True].arrays()["answers"]), len(theirs))

    def test_a_ranking_names_every_intent_in_order(self) -> None:
        corpus = Corpus((*self.INTENTS, "out_of_scope"), noise=2.0)
        # Some are believed so little that the others have to be held below them.
        classifier = self.trained(corpus, 30, strange=15)
        for message in classifier.process(self.mixed(corpus, 30)):
            ranking = message.get(INTENT_RANKING_KEY)
            confidences = [entry["confidence"] for entry in ranking]
            self.assertEqual(message.get(INTENT), ranking[0])
            self.assertEqual(sorted(entry["name"] for entry in ranking), sorted((*self.INTENTS, "out_of_scope")))
            self.assertEqual(confidences, sorted(confidences, reverse=True))
            self.assertTrue(all(0 <= confidence <= 1 for confidence in confidences))
            self.assertLessEqual(sum(confidences), 1 + 1e-6)

    def test_the_verdict_moves_no_intent_in_the_ranking(self) -> None:
        corpus = Corpus(self.INTENTS, noise=2.0)
        classifier = self.trained(corpus, 30, strange=15)
        messages = self.mixed(corpus, 50)
        judged = [message.get(INTENT) for message in classifier.process(messages)]
        # Also where it is so low that others get as much as the best.
        self.assertLess(min(intent["confidence"] for intent in judged), 0.35)
        classifier._verdict = np.zeros(0)
        scored = [message.get(INTENT) for message in classifier.process(messages)]
        self.assertEqual([intent["name"] for intent in judged], [intent["name"] for intent in scored])

    def test_one_message_gets_what_it_gets_in_a_batch(self) -> None:
        corpus = Corpus(self.INTENTS, noise=2.0)
        classifier = self.trained(corpus, 30, strange=5)
        messages = self.mixed(corpus, 12)
        together = self.confidences(classifier, messages)
        alone = np.concatenate([self.confidences(classifier, [message]) for message in messages])
        np.testing.assert_allclose(alone, together, atol=1e-5)
        self.assertEqual(classifier.process([]), [])

    def test_loaded_it_gives_the_same(self) -> None:
        corpus = Corpus(self.INTENTS, noise=2.0)
        classifier = self.trained(corpus, 30, strange=5)
        loaded = self.make(SentenceClassifier, "load")
        messages = self.mixed(corpus, 12)
        np.testing.assert_array_equal(self.confidences(loaded, messages), self.confidences(classifier, messages))
        for message in messages:
            np.testing.assert_array_equal(self.confidences(loaded, [message]), self.confidences(classifier, [message]))

    def test_a_model_file_holds_no_code(self) -> None:
        self.trained(Corpus(self.INTENTS, noise=1.0))
        with self.storage.read_from(Resource("component")) as folder:
            (file,) = folder.iterdir()
            with np.load(file, allow_pickle=False) as arrays:
                self.assertTrue(all(arrays[name].dtype != object for name in arrays.files))

    def test_the_verdict_falls_for_what_is_like_no_example(self) -> None:
        corpus = Corpus(self.INTENTS, noise=1.5)
        classifier = self.trained(corpus, 60, strange=5)
        alike = [message for intent in self.INTENTS for message in corpus.messages(intent, 25)]
        sure = self.confidences(classifier, alike).max(axis=1)
        unsure = self.confidences(classifier, corpus.strange(100)).max(axis=1)
        self.assertGreater(np.median(sure), 0.9)
        self.assertLess(np.median(unsure), 0.5)
        self.assertGreater((sure[:, np.newaxis] > unsure).mean(), 0.95)

    def test_the_verdict_is_the_share_that_is_right(self) -> None:
        corpus = Corpus(self.INTENTS, noise=6.0)
        classifier = self.trained(corpus, 120)
        messages = [message for intent in self.INTENTS for message in corpus.messages(intent, 100)]
        wanted = [message.get(INTENT) for message in messages]
        answers = [message.get(INTENT) for message in classifier.process(messages)]
        right = np.array([answer["name"] == intent for answer, intent in zip(answers, wanted, strict=True)])
        sure = np.array([answer["confidence"] for answer in answers])
        self.assertTrue(0.4 < right.mean() < 0.9, right.mean())
        self.assertLess(abs(right.mean() - sure.mean()), 0.07)
        self.assertLess(right[sure < np.median(sure)].mean(), right[sure > np.median(sure)].mean() - 0.15)

    def test_the_verdict_knows_that_there_are_kinds_without_examples(self) -> None:
        corpus = Corpus((*self.INTENTS, "out_of_scope"), noise=1.0)
        nearby = list(self._beside(corpus, 60))
        examples = [message for intent in self.INTENTS for message in corpus.messages(intent, 60)]
        examples += [message for kind in nearby[:40] for message in corpus.kind(kind, 6)]
        unseen = [message for kind in nearby[40:] for message in corpus.kind(kind, 6)]
        sure = {}
        for folds in (1000, 5):  # 1000: so few examples that none is judged without its kind
            classifier = self.make(SentenceClassifier)
            with patch("components.sentence_classifier._FOLDS", folds):
                classifier.train(TrainingData(examples))
            answers = [message.get(INTENT) for message in classifier.process(unseen)]
            sure[folds] = np.mean([a["name"] != "out_of_scope" and a["confidence"] > 0.85 for a in answers])
        self.assertGreater(sure[1000], 0.1)
        self.assertLess(sure[5], 0.7 * sure[1000])

    def _beside(self, corpus: Corpus, number: int) -> Iterable[dict[str, Any]]:
        """Centres of kinds that are like one of the intents, and none of them."""
        away = np.random.default_rng(7)
        for intent in islice(cycle(self.INTENTS), number):
            centre = corpus.centres[intent]
            yield {alias: place + 0.8 * away.normal(size=len(place)) for alias, place in centre.items()}

    def test_a_name_makes_doubtful_only_what_it_does_not_go_with(self) -> None:
        corpus = Corpus((*self.INTENTS, "out_of_scope"), noise=1.0)
        centres = corpus.centres
        for intent in ("login", "transfer"):
            # Out of scope are messages like these, of which those about logging in have a name.
            centres[f"{intent} elsewhere"] = {name: place * 0.9 for name, place in centres[intent].items()}
        examples = [message for intent in self.INTENTS for message in self.named(corpus.messages(intent, 60), 0)]
        examples += self.named(corpus.messages("transfer", 40), 1)
        examples += self.named(corpus.kind(centres["login elsewhere"], 25), 1)
        examples += [message for kind in self._beside(corpus, 20) for message in self.named(corpus.kind(kind, 6), 0)]
        classifier = self.make(SentenceClassifier)
        classifier.train(TrainingData(examples))
        sure = {}
        for intent in ("login", "transfer"):
            for name in (0, 1):
                asked = self.named(corpus.messages(intent, 40), name)
                sure[intent, name] = np.mean(
                    [message.get(INTENT)["confidence"] for message in classifier.process(asked)]
                )
        self.assertLess(sure["login", 1], sure["login", 0] - 0.15)
        self.assertGreater(sure["transfer", 1], sure["transfer", 0] - 0.05)

    def named(self, messages: list[Message], name: float) -> list[Message]:
        for message in messages:
            message.add_features(Features(np.array([[name]], np.float32), FEATURE_TYPE_SENTENCE, TEXT, "names"))
        return messages

    def test_fewer_than_two_intents_are_refused(self) -> None:
        corpus = Corpus(("fee",), noise=1.0)
        for examples in (corpus.training_data(5), TrainingData([])):
            with self.assertRaisesRegex(InvalidConfigException, "examples of at least two intents"):
                self.make(SentenceClassifier).train(examples)

    def test_a_missing_alias_is_refused(self) -> None:
        examples = Corpus(self.INTENTS, noise=1.0).training_data(5).training_examples
        for message in examples:
            for feature in message.features:
                feature.origin = "run_components.sentence_featurizer.SentenceFeaturizer0"
        with self.assertRaisesRegex(RasaException, "no weight for 'run_components.*one of the aliases e5, minilm"):
            self.make(SentenceClassifier).train(TrainingData(examples))

    def test_one_featurizer_without_its_alias_is_refused(self) -> None:
        examples = Corpus(self.INTENTS, noise=1.0).training_data(5).training_examples
        for message in examples:
            for feature in message.features:
                if feature.is_sparse():
                    feature.origin = "run_components.ngram_featurizer.NgramFeaturizer3"
        with self.assertRaisesRegex(RasaException, "no weight for 'run_components.ngram_featurizer"):
            self.make(SentenceClassifier).train(TrainingData(examples))

    def test_a_specialist_alone_is_enough(self) -> None:
        corpus = Corpus(self.INTENTS, noise=1.0)
        data = TrainingData(without(corpus.training_data(12).training_examples, "e5"))
        trained = self.make(SentenceClassifier)
        trained.train(data)
        self.assertEqual(list(trained._ridges), [True])

    def test_a_feature_that_some_messages_lack_is_refused(self) -> None:
        examples = Corpus(self.INTENTS, noise=1.0).training_data(5).training_examples
        for alias in ("e5", "minilm", "ngrams"):
            with self.subTest(alias):
                self.assert_refused([*without(examples[:1], alias), *examples[1:]])

    def assert_refused(self, examples: list[Message]) -> None:
        message = r"needs its alias \(e5, minilm, use, ngrams\) and must stand before the classifier"
        with self.assertRaisesRegex(RasaException, message):
            self.make(SentenceClassifier).train(TrainingData(examples))


if __name__ == "__main__":
    unittest.main()
