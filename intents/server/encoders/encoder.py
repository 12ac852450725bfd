"""Text → vectors, with the files that ``prepare`` made."""

from __future__ import annotations

import json
import os
import unicodedata
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

from encoders.formats import dequantize

FOLDER = Path(__file__).parent.parent / ".venv" / "encoders"

MAX_TOKENS = 256
"""Time grows with length; more than this is read of nothing."""

_BATCH = 32
_REMEMBERED = 4096
"""Texts whose vectors are kept: customers press the same buttons and say the same hello."""


class NotPrepared(Exception):
    """The encoders' files are missing; the message says how to make them."""


class Rows:
    """An array on disk of which few rows are needed: read when asked for, from the system's cache of files.

    Mapped into memory, the tables of three encoders would be as large as all else that Rasa holds.
    """

    def __init__(self, path: Path) -> None:
        array = np.load(path, mmap_mode="r")
        self._dtype, self._shape = array.dtype, array.shape[1:]
        self._start, self._bytes = array.offset, array.dtype.itemsize * int(np.prod(self._shape))
        self._file = path.open("rb", buffering=0)

    def __getitem__(self, numbers: np.ndarray) -> np.ndarray:
        """The rows of these numbers, shape ``(*numbers.shape, *row)``."""
        distinct, places = np.unique(numbers, return_inverse=True)
        read = b"".join([self._row(number) for number in distinct.tolist()])
        return np.frombuffer(read, self._dtype).reshape(-1, *self._shape)[places.reshape(numbers.shape)]

    def _row(self, number: int) -> bytes:
        self._file.seek(self._start + number * self._bytes)
        return self._file.read(self._bytes)


class Encoder(ABC):
    """One encoder, read once. Not for several threads at once."""

    first: int
    """The token before every text."""
    last: int

    def __init__(self, folder: Path) -> None:
        if not (folder / "graph.onnx").exists():
            raise NotPrepared(f"There is no sentence encoder in {folder}. Run `make setup`.")
        self._words = Rows(folder / "words.npy")
        with np.load(folder / "tables.npz") as tables:
            self._tables = {name: tables[name] for name in tables.files}
        options = onnxruntime.SessionOptions()
        # What OMP_NUM_THREADS means to everything else in this process.
        threads = os.environ.get("OMP_NUM_THREADS", "")
        options.intra_op_num_threads = int(threads) if threads.isdecimal() else 0
        # Threads that spin while they wait take the processor from the desk, and from one another.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(folder / "graph.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.size: int = self._session.get_outputs()[0].shape[1]
        self._remembered: OrderedDict[str, np.ndarray] = OrderedDict()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """One row a text, shape (texts, ``size``), float32: of unit length, or zero where the encoder knows nothing
        of the language."""
        rows = np.zeros((len(texts), self.size), np.float32)
        new: dict[str, int] = {}
        for row, text in enumerate(texts):
            known = self._remembered.get(text)
            if known is None:
                new.setdefault(text, row)
            else:
                self._remembered.move_to_end(text)
                rows[row] = known
        if new:
            for text, vector in zip(new, self._encode(list(new)), strict=True):
                # A copy: a view would keep the whole batch in memory.
                self._remembered[text] = vector.copy()
            for row, text in enumerate(texts):
                if text in new:
                    rows[row] = self._remembered[text]
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return rows

    def _encode(self, texts: list[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), self.size), np.float32)
        tokens = self._tokens(texts)
        known = [row for row, text in enumerate(texts) if self.knows(text, tokens[row])]
        # Texts of one length in one batch: padding is work for nothing.
        known.sort(key=lambda row: len(tokens[row]))
        for start in range(0, len(known), _BATCH):
            batch = known[start : start + _BATCH]
            lengths = np.array([min(len(tokens[row]), MAX_TOKENS) + 2 for row in batch], np.int32)
            numbers = np.zeros((len(batch), lengths.max()), np.int64)
            for line, row in zip(numbers, batch, strict=True):
                ids = tokens[row][:MAX_TOKENS]
                line[: len(ids) + 2] = (self.first, *ids, self.last)
            inputs = {"embedded": self._embed(numbers), "lengths": lengths}
            vectors[batch] = self._session.run(["vectors"], inputs)[0]
        return self._finished(_unit(vectors))

    def _finished(self, vectors: np.ndarray) -> np.ndarray:
        return vectors

    @abstractmethod
    def _tokens(self, texts: list[str]) -> list[list[int]]:
        """The token numbers of each text, without those before and after it."""

    @abstractmethod
    def knows(self, text: str, tokens: Sequence[int]) -> bool:
        """Whether the encoder can say anything about ``text``, whose numbers are ``tokens``."""

    @abstractmethod
    def _embed(self, numbers: np.ndarray) -> np.ndarray:
        """The embeddings of token numbers, shape (batch, tokens) → (batch, tokens, width), float32."""


class E5(Encoder):
    """multilingual-e5-small: a hundred languages, 384 numbers. Messages are embedded as questions, and what their
    vectors say of the language is taken out."""

    first, last = 0, 2

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._pieces = _sentencepiece(folder)
        substitutions = json.loads((folder / "substitutions.json").read_text(encoding="utf-8"))
        self._substitutions = str.maketrans(substitutions)
        directions = folder / "languages.npy"
        self._languages = np.load(directions) if directions.exists() else np.zeros((0, self.size), np.float32)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        # The prefix that it was trained with.
        return self._pieces.encode([f"query: {text}".translate(self._substitutions) for text in texts])

    def knows(self, text: str, tokens: Sequence[int]) -> bool:
        return True

    def _embed(self, numbers: np.ndarray) -> np.ndarray:
        return dequantize(self._words[numbers]) + self._tables["positions"][: numbers.shape[1]]

    def _finished(self, vectors: np.ndarray) -> np.ndarray:
        return _unit(vectors - vectors @ self._languages.T @ self._languages)


class MiniLm(Encoder):
    """all-MiniLM-L6-v2: English, 384 numbers.

    Knows a text whose letters are nearly all those of English, and whose words its vocabulary mostly has whole:
    French falls into three times as many pieces.
    """

    first, last = 101, 102

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._pieces = Tokenizer.from_file(str(folder / "tokenizer"))
        pieces = self._pieces.get_vocab()
        self._continued = frozenset(number for piece, number in pieces.items() if piece.startswith("##"))
        self._words_whole = frozenset(
            number for piece, number in pieces.items() if number not in self._continued and piece[0].isalnum()
        )

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._pieces.encode_batch(texts)]

    def knows(self, text: str, tokens: Sequence[int]) -> bool:
        letters = [c for c in text if c.isalpha()]
        if not letters or sum(c.isascii() for c in letters) <= 0.9 * len(letters):
            return False
        continued = sum(number in self._continued for number in tokens)
        whole = sum(number in self._words_whole for number in tokens)
        return whole > 0 and continued <= 0.25 * (continued + whole)

    def _embed(self, numbers: np.ndarray) -> np.ndarray:
        return self._words[numbers].astype(np.float32) + self._tables["positions"][: numbers.shape[1]]


class Use(Encoder):
    """Universal Sentence Encoder, multilingual: 512 numbers, sixteen languages; Arabic, Chinese, Dutch, English,
    French, German, Italian, Japanese, Korean, Polish, Portuguese, Russian, Spanish, Thai and Turkish.

    Knows a text of which it has nearly all pieces: Vietnamese, say, falls to bits with holes between them.
    """

    first, last = 1, 2

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._pieces = _sentencepiece(folder)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return self._pieces.encode(texts)

    def knows(self, text: str, tokens: Sequence[int]) -> bool:
        letters = sum(unicodedata.category(c)[0] == "L" for c in text)
        return letters > 0 and tokens.count(self._pieces.unk_id()) <= 0.1 * len(tokens)

    def _embed(self, numbers: np.ndarray) -> np.ndarray:
        chunk = numbers % len(self._tables["scale"])
        scale, low = self._tables["scale"][chunk], self._tables["low"][chunk]
        return self._words[numbers] * scale[..., np.newaxis] + low[..., np.newaxis]


def _sentencepiece(folder: Path) -> SentencePieceProcessor:
    return SentencePieceProcessor(model_file=str(folder / "tokenizer"))


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


ENCODERS: dict[str, type[Encoder]] = {"e5": E5, "minilm": MiniLm, "use": Use}


def load(name: str, folder: Path = FOLDER) -> Encoder:
    """Raises ``KeyError`` for a name not in ``ENCODERS``, ``NotPrepared``."""
    return ENCODERS[name](folder / name)
