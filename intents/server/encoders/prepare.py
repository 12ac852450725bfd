"""Make the encoders' files, as ``python -m encoders.prepare <folder>`` in the Rasa environment; ``make setup`` does.

For each encoder a folder with its ``tokenizer``, ``words.npy`` (token embeddings, read row by row),
``tables.npz`` (small arrays) and ``graph.onnx``.

A sentence's vector says what it means and which language it is in. For a classifier that has examples in two
languages and is asked in a hundred, the second is noise, and strong. ``languages.tsv`` holds everyday sentences,
none about money or accounts, each in 35 languages: what differs between the means of the languages is language.
E5's vectors are stripped of these directions; ``docs/benchmarks.md`` has what it brings.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from encoders import graphs, sources
from encoders.encoder import E5
from encoders.text import normalise

LANGUAGES = Path(__file__).with_name("languages.tsv")
_LANGUAGE_DIRECTIONS = 34
"""All there are: one fewer than languages."""


def prepare(folder: Path) -> None:
    """Replaces ``folder`` by a complete one, or leaves it as it is."""
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name, read in (("e5", sources.e5), ("minilm", sources.minilm)):
        bert = read()
        _write(
            unfinished / name,
            tokenizer=bert.tokenizer,
            words=bert.words,
            tables={"positions": bert.positions},
            graph=graphs.bert(bert, exact_down=name == "minilm").SerializeToString(),
        )
        if bert.substitutions:
            substitutions = {chr(code_point): text for code_point, text in bert.substitutions.items()}
            (unfinished / name / "substitutions.json").write_text(json.dumps(substitutions), encoding="utf-8")
    # Before the directions are there, vectors come as they are.
    np.save(unfinished / "e5" / "languages.npy", language_directions(E5(unfinished / "e5")))
    use = sources.use()
    _write(
        unfinished / "use",
        tokenizer=use.tokenizer,
        words=use.words,
        tables={"scale": use.tensors["scale"], "low": use.tensors["lo"]},
        graph=graphs.use(use).SerializeToString(),
    )
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def language_directions(encoder: E5) -> np.ndarray:
    """Orthonormal rows, strongest first, along which the means of the languages differ."""
    header, *rows = (line.split("\t") for line in LANGUAGES.read_text(encoding="utf-8").splitlines())
    vectors = encoder.encode([normalise(sentence) for row in rows for sentence in row])
    means = vectors.reshape(len(rows), len(header), -1).mean(axis=0)
    return np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:_LANGUAGE_DIRECTIONS]


def _write(folder: Path, *, tokenizer: bytes, words: np.ndarray, tables: dict[str, np.ndarray], graph: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "tokenizer").write_bytes(tokenizer)
    np.save(folder / "words.npy", words)
    np.savez(folder / "tables.npz", **tables)
    (folder / "graph.onnx").write_bytes(graph)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
