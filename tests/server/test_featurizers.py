"""The pipeline's own featurizers, each alone. The whole pipeline: ``tests/integration/test_engine_rasa.py``."""

from __future__ import annotations

import re
import unittest
from collections.abc import Iterable

import numpy as np
from components.name_featurizer import NameFeaturizer
from components.ngram_featurizer import NgramFeaturizer
from components.sentence_featurizer import SentenceFeaturizer
from encoders.encoder import ENCODERS, load
from encoders.text import normalise
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from sklearn.feature_extraction.text import TfidfVectorizer

from tests.server.cases import ComponentCase


class Ngrams(ComponentCase):
    TEXTS = (
        *(
            "我的USDT没到账",
            "USDT转账没有到",
            "我的转账有错误",
            "错误 502",
            "trc20 withdrawal missing",
            "error 502 again!!",
        ),
        *(
            "my withdrawl is missing",
            "HELP",
            "help!!",
            "hello hello hello",
            "забыл пароль",
            "пароль забыл",
            "ß",
            "ss",
            "bug",
        ),
    )
    NEW = (
        *(*TEXTS, "trc20没到账", "entirely other words", "502 502 502 502 error", "HELLO", "ＵＳＤＴ没到账", "我的502"),
        *("help my friend 日", "a" * 600, "", " ", "USDT" * 100),
    )
    STRANGE = ("パスワードを忘れました", "ลืมรหัสผ่าน", "비밀번호", "😂", "日本語", "我的パスワード", "\x00\x01")

    def setUp(self) -> None:
        super().setUp()
        self.featurizer = self.make(NgramFeaturizer, alias="ngrams")
        self.examples = TrainingData([Message.build(text, "greet") for text in self.TEXTS])
        self.featurizer.train(self.examples)

    def rows(self, featurizer: NgramFeaturizer, texts: Iterable[str]) -> np.ndarray:
        messages = featurizer.process([Message(data={TEXT: text}) for text in texts])
        for message in messages:
            (feature,) = message.features
            self.assertEqual(
                (feature.type, feature.attribute, feature.origin, feature.features.dtype),
                (FEATURE_TYPE_SENTENCE, TEXT, "ngrams", np.float32),
            )
        return np.concatenate([message.features[0].features.toarray() for message in messages])

    def test_a_row_is_what_scikit_learn_says(self) -> None:
        spelt = [normalise(text).casefold() for text in self.TEXTS]
        reference = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, lowercase=False, min_df=2
        ).fit(spelt)
        expected = reference.transform([normalise(text).casefold() for text in self.NEW]).toarray()
        rows = self.rows(self.featurizer, self.NEW)
        np.testing.assert_allclose(rows, expected, atol=1e-6)
        self.assertEqual([text for text, row in zip(self.NEW, rows, strict=True) if not row.any()], ["", " "])

    def test_of_a_script_without_examples_it_knows_nothing(self) -> None:
        self.assertFalse(self.rows(self.featurizer, self.STRANGE).any())

    def test_one_spelling_one_row(self) -> None:
        rows = self.rows(self.featurizer, ["USDT没到账", "ｕｓｄｔ没到账😭", "usdt沒到帳"])
        self.assertTrue(rows[0].any())
        np.testing.assert_array_equal(rows[0], rows[1])
        np.testing.assert_array_equal(rows[0], rows[2])

    def test_loaded_it_gives_the_same(self) -> None:
        loaded = self.make(NgramFeaturizer, "load", alias="ngrams")
        texts = (*self.NEW, *self.STRANGE)
        np.testing.assert_array_equal(self.rows(loaded, texts), self.rows(self.featurizer, texts))

    def test_training_examples_get_their_rows(self) -> None:
        self.featurizer.process_training_data(self.examples)
        given = [message.features[0].features.toarray()[0] for message in self.examples.training_examples]
        np.testing.assert_array_equal(given, self.rows(self.featurizer, self.TEXTS))

    def test_a_single_example_will_do(self) -> None:
        featurizer = self.make(NgramFeaturizer, alias="ngrams")
        featurizer.train(TrainingData([Message.build("help", "greet")]))
        np.testing.assert_allclose(np.linalg.norm(self.rows(featurizer, ["help"])), 1, atol=1e-6)


class Names(ComponentCase):
    LISTS = (
        {"name": "exchange", "elements": ["Binance", "币安", "бинанс", "okx"]},
        {"name": "wallet", "elements": ["okx wallet", "MetaMask"]},
        {"name": "elsewhere", "elements": ["gmail", "카카오톡"]},
    )

    def featurizer(self, *lists: dict[str, object]) -> NameFeaturizer:
        featurizer = self.make(NameFeaturizer, alias="names")
        featurizer.train(TrainingData([Message.build("help", "greet")], lookup_tables=list(lists)))
        return featurizer

    def rows(self, featurizer: NameFeaturizer, *texts: str) -> list[list[float]]:
        messages = featurizer.process([Message(data={TEXT: text}) for text in texts])
        return [message.features[0].features[0].tolist() for message in messages]

    def test_a_name_is_found_as_its_language_writes_it(self) -> None:
        named = {
            "sent from BINANCE to metamask": [1, 1, 0],
            "从幣安提的": [1, 0, 0],
            "вывел с бинанса, metamaske": [1, 1, 0],
            "카카오톡으로 okx에서": [1, 0, 1],
            "ｇｍａｉｌ．": [0, 0, 1],
        }
        self.assertEqual(self.rows(self.featurizer(*self.LISTS), *named), list(named.values()))

    def test_what_only_looks_like_a_name_is_none(self) -> None:
        texts = ("binancefication", "xbinance", "okxs", "gmail2", "", "b", "no name")
        self.assertEqual(self.rows(self.featurizer(*self.LISTS), *texts), [[0, 0, 0]] * len(texts))

    def test_of_names_within_one_another_the_longest_counts(self) -> None:
        self.assertEqual(self.rows(self.featurizer(*self.LISTS), "my okx wallet", "okx"), [[0, 1, 0], [1, 0, 0]])

    def test_loaded_it_gives_the_same(self) -> None:
        texts = ("币安", "okx wallet", "gmail binance", "nothing")
        trained = self.featurizer(*self.LISTS)
        loaded = self.make(NameFeaturizer, "load", alias="names")
        self.assertEqual(self.rows(loaded, *texts), self.rows(trained, *texts))

    def test_without_lists_there_is_no_feature(self) -> None:
        (message,) = self.featurizer().process([Message(data={TEXT: "binance"})])
        self.assertEqual(message.features, [])


class Sentences(ComponentCase):
    def test_each_message_gets_the_vector_of_each_encoder(self) -> None:
        featurizer = self.make(SentenceFeaturizer)
        texts = ["how do I reset my password", "ＨＯＷ do I reset my password😭", "忘记密码", "", "\ud83d"]
        messages = featurizer.process([Message(data={TEXT: text}) for text in texts])
        for name in ENCODERS:
            expected = load(name).encode([normalise(text) for text in texts])
            for message, row in zip(messages, expected, strict=True):
                (feature,) = (feature for feature in message.features if feature.origin == name)
                self.assertEqual(
                    (feature.type, feature.attribute, feature.features.shape),
                    (FEATURE_TYPE_SENTENCE, TEXT, (1, len(row))),
                )
                np.testing.assert_array_equal(feature.features[0], row)
        self.assertEqual([len(message.features) for message in messages], [len(ENCODERS)] * len(texts))

    def test_some_encoders_will_do(self) -> None:
        featurizer = self.make(SentenceFeaturizer, encoders=["minilm"])
        (message,) = featurizer.process([Message(data={TEXT: "help"})])
        self.assertEqual([feature.origin for feature in message.features], ["minilm"])

    def test_training_reports_the_share_done(self) -> None:
        featurizer = self.make(SentenceFeaturizer, encoders=["minilm"])
        examples = TrainingData([Message.build(f"message number {number}", "greet") for number in range(300)])
        with self.assertLogs("components.sentence_featurizer", "INFO") as logs:
            featurizer.process_training_data(examples)
        self.assertEqual([round(record.done, 3) for record in logs.records], [0.853, 1.0])
        self.assertTrue(all(len(message.features) == 1 for message in examples.training_examples))

    def test_an_unknown_encoder_is_refused(self) -> None:
        for names in (["bert"], ["e5", "bert"], "e5", []):
            with self.subTest(names):
                message = re.escape(f"'encoders' must be some of e5, minilm, use, not {names!r}")
                with self.assertRaisesRegex(InvalidConfigException, message):
                    self.make(SentenceFeaturizer, encoders=names)


if __name__ == "__main__":
    unittest.main()
