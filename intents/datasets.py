"""Texts whose intent is known: read from CSV, TSV or Rasa YAML, dealt into folds, written for Rasa."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from intents.parsing import FALLBACK

_LABELS = ("label", "intent", "category")
_OPTIONAL = ("language", "kind", "also")
_RASA = (".yml", ".yaml")

# Rasa's own: [text](entity), [text]{"entity": …} and [text][{"entity": …}].
_ENTITY = re.compile(r"\[([^\]]+?)\](?:\([^:)]+?(?::[^)]+)?\)|\{[^}]+?\}|\[.*?\])")


class _Csv(csv.excel):
    strict = True


class _Tsv(csv.excel_tab):
    quoting = csv.QUOTE_NONE
    strict = True


_DIALECTS = {".csv": _Csv, ".tsv": _Tsv}


class DatasetError(Exception):
    """A data set cannot be used; the message names the file, the line, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Example:
    text: str
    label: str
    language: str | None = None
    kind: str | None = None
    also: tuple[str, ...] = ()
    """Other labels that are as defensible."""


@dataclass(frozen=True, slots=True)
class Dataset:
    examples: tuple[Example, ...]
    ignored: tuple[str, ...] = ()
    """Columns that mean nothing here."""
    lists: tuple[Path, ...] = ()
    """Files of Rasa YAML without examples, beside others in a folder: lists of names, which every training needs."""


# --- reading ------------------------------------------------------------------------------------


def read_dataset(path: Path) -> Dataset:
    """The examples of a file or, of Rasa YAML, a folder.

    CSV and TSV begin with a header: ``text`` and ``label`` (or ``intent``, ``category``), and if they like
    ``language``, ``kind`` and ``also`` (other defensible labels, commas between them). CSV is quoted as usual; in TSV
    a quotation mark is a character like others.
    In Rasa YAML these are metadata, and entities are read as the words they mark. Raises ``DatasetError``.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in _RASA)
        read = {file: tuple(_read_rasa(file, whole=False)) for file in files}
        lists = tuple(file for file, examples in read.items() if not examples)
        dataset = Dataset(tuple(example for examples in read.values() for example in examples), lists=lists)
    elif path.suffix in _RASA:
        dataset = Dataset(tuple(_read_rasa(path, whole=True)))
    elif path.suffix in _DIALECTS:
        dataset = _read_table(path)
    else:
        raise DatasetError(
            f"{path}: not a data set. It ends in .csv, .tsv, .yml or .yaml, or is a folder of the latter."
        )
    if not dataset.examples:
        raise DatasetError(f"{path}: there are no examples in it.")
    return dataset


def _read_table(path: Path) -> Dataset:
    examples = []
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, _DIALECTS[path.suffix])
            header = [name.strip().lower() for name in next(rows, [])]
            columns = _columns(path, header)
            line = rows.line_num
            for row in rows:
                # A quoted text may go over several lines: the first is where one looks.
                first, line = line + 1, rows.line_num
                if not row:
                    continue
                if len(row) != len(header):
                    raise DatasetError(f"{path}, line {first}: {len(row)} columns; the header has {len(header)}.")
                found = {name: row[at].strip() for name, at in columns.items()}
                examples.append(_example(f"{path}, line {first}", **found))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: cannot be read: it is not UTF-8 after line {line}.") from error
    except csv.Error as error:
        raise DatasetError(f"{path}, line {line + 1}: not {path.suffix[1:].upper()}: {error}.") from error
    known = set(columns.values())
    return Dataset(tuple(examples), tuple(name for at, name in enumerate(header) if at not in known))


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Where each known column is."""
    labels = [name for name in _LABELS if name in header]
    if "text" not in header or len(labels) != 1:
        raise DatasetError(
            f"{path}, line 1: the header is {', '.join(header) or 'empty'}; it needs text and one of"
            f" {', '.join(_LABELS)}, and may have {' and '.join(_OPTIONAL)}."
        )
    columns = {"text": header.index("text"), "label": header.index(labels[0])}
    return columns | {name: header.index(name) for name in _OPTIONAL if name in header}


def _read_rasa(path: Path, *, whole: bool) -> Iterator[Example]:
    """``whole`` says that the file must hold examples; beside others in a folder it may hold something else."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            root = yaml.compose(file, Loader=yaml.SafeLoader)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: cannot be read: it is not UTF-8.") from error
    except yaml.YAMLError as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    blocks = _mapping(root).get("nlu")
    if blocks is None and not whole:
        return
    if not isinstance(blocks, yaml.SequenceNode):
        raise DatasetError(f"{path}: not Rasa's training data: there is no list named nlu in it.")
    for block in blocks.value:
        keys = _mapping(block)
        # Synonyms, lookup tables and regular expressions belong to entities.
        if "intent" in keys:
            yield from _block(path, block, keys)


def _block(path: Path, block: yaml.Node, keys: dict[str, yaml.Node]) -> Iterator[Example]:
    label, examples = keys["intent"].value, keys.get("examples")
    metadata = _metadata(keys.get("metadata"))
    if isinstance(examples, yaml.ScalarNode):
        # A literal block begins on the line below its mark.
        first = examples.start_mark.line + (2 if examples.style in ("|", ">") else 1)
        for number, line in enumerate(examples.value.splitlines(), start=first):
            if not line.startswith("-"):
                raise DatasetError(f"{path}, line {number}: an example begins with '- '.")
            yield _example(f"{path}, line {number}", _plain(line[1:]), label, **metadata)
    elif isinstance(examples, yaml.SequenceNode):
        for item in examples.value:
            own, where = _mapping(item), f"{path}, line {item.start_mark.line + 1}"
            text = own.get("text")
            if not isinstance(text, yaml.ScalarNode):
                raise DatasetError(f"{where}: an example in a list has a text.")
            yield _example(where, _plain(text.value), label, **(metadata | _metadata(own.get("metadata"))))
    else:
        raise DatasetError(f"{path}, line {block.start_mark.line + 1}: the intent has no examples.")


def _mapping(node: yaml.Node | None) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def _metadata(node: yaml.Node | None) -> dict[str, str]:
    values = _mapping(node)
    return {name: values[name].value for name in _OPTIONAL if isinstance(values.get(name), yaml.ScalarNode)}


def _plain(example: str) -> str:
    """Without the marks around entities."""
    return _ENTITY.sub(r"\1", example)


def _example(where: str, text: str, label: str, language: str = "", kind: str = "", also: str = "") -> Example:
    text, label = text.strip(), label.strip() if isinstance(label, str) else ""
    if not text:
        raise DatasetError(f"{where}: there is no text.")
    if not label:
        raise DatasetError(f"{where}: there is no label.")
    if "/" in label or label == FALLBACK:
        raise DatasetError(f"{where}: {label} cannot be a label: to Rasa it means something else.")
    others = tuple(other.strip() for other in also.split(",") if other.strip())
    return Example(text, label, language or None, kind or None, others)


# --- folds --------------------------------------------------------------------------------------


def make_folds(examples: Iterable[Example], count: int, seed: int = 0) -> list[list[Example]]:
    """``examples`` dealt into ``count`` parts, intents and languages alike in each, in the same way every time.

    Each is in exactly one part, doubled ones once. Those that differ only in case, punctuation or spacing stay
    together, for a test on the twin of a training example tests nothing. Raises ``DatasetError`` for more parts
    than there is anything to deal.
    """
    twins: defaultdict[str, list[Example]] = defaultdict(list)
    for example in dict.fromkeys(examples):
        twins[_essence(example.text)].append(example)
    if not 2 <= count <= len(twins):
        raise DatasetError(f"{len(twins)} different examples cannot be dealt into {count} folds.")
    strata: defaultdict[tuple[str, str], list[list[Example]]] = defaultdict(list)
    for together in twins.values():
        strata[together[0].label, together[0].language or ""].append(together)
    random = Random(seed)  # noqa: S311 (the same folds every time is the point)
    folds: list[list[Example]] = [[] for _ in range(count)]
    dealt = 0
    # One round over all strata, so that the folds of small intents do not all begin at the first.
    for _, stratum in sorted(strata.items()):
        random.shuffle(stratum)
        for together in stratum:
            folds[dealt % count].extend(together)
            dealt += 1
    return folds


def _essence(text: str) -> str:
    """Letters, digits and symbols (an emoji is one), or all of it if there are none."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LNSM") or text


# --- writing ------------------------------------------------------------------------------------


def write_rasa(examples: Iterable[Example], path: Path) -> None:
    """Writes training data that Rasa reads as exactly these texts, languages and kinds.

    But for one: Rasa knows no way to write what looks like an entity, ``[this](for example)``, and means itself.
    There the first bracket becomes a full-width one, which normalising turns back.
    """
    blocks: defaultdict[tuple[str, str | None, str | None], list[str]] = defaultdict(list)
    for example in examples:
        text = example.text.encode(errors="replace").decode()
        while _ENTITY.search(text):
            text = _ENTITY.sub(_without_mark, text)
        blocks[example.label, example.language, example.kind].append(text)
    written: list[dict[str, Any]] = []
    for (label, language, kind), texts in blocks.items():
        metadata = {"language": language, "kind": kind}
        head: dict[str, Any] = {"intent": _Quoted(label)}
        if language or kind:
            head["metadata"] = {name: _Quoted(value) for name, value in metadata.items() if value}
        lines = [text for text in texts if text.splitlines() == [text]]
        if lines:
            written.append({**head, "examples": _Literal("".join(f"- {text}\n" for text in lines))})
        # Rasa splits a block at whatever Python calls the end of a line; a list has no lines.
        others = [{"text": _Quoted(text)} for text in texts if text.splitlines() != [text]]
        if others:
            written.append({**head, "examples": others})
    document = {"version": _Quoted("3.1"), "nlu": written}
    content = yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10**9)
    # Rasa reads a file that is all ASCII as if it were Python source ("\u4f60" in it is one character).
    path.write_text(f"# Written for one training … and not by hand.\n{content}", encoding="utf-8")


def _without_mark(match: re.Match[str]) -> str:
    return "［" + match[0][1:]


class _Quoted(str):
    """Written in quotes, lest it be a number, a date, a comment or a variable."""

    __slots__ = ()


class _Literal(str):
    """Written as a block, where YAML can."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if isinstance(text, _Literal) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style=style)


_Dumper.add_representer(_Quoted, _represent)
_Dumper.add_representer(_Literal, _represent)
