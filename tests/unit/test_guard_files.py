"""Customers' files as they may be kept: texts without their secrets, documents with none or not at all."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Sequence

import pytest

from benchmarks.secrets import plant
from bot import guard
from bot.domain.secret import FoundInFile, Removed, SecretKind
from bot.guard import files
from bot.guard.files import documents, texts

RND = random.Random(20261128)
PHRASE = (Removed(SecretKind.SEED_PHRASE),)
WORDS = plant.phrase(RND, "en", 12)
ENGLISH = " ".join(WORDS)
CHINESE = plant.phrase(RND, "zh", 12)


def holds(content: bytes, encoding: str, words: Sequence[str]) -> bool:
    """Whether three of the words in a row are left."""
    text = content.decode(encoding, "ignore")
    runs = zip(words, words[1:], words[2:], strict=False)
    return any(between.join(run) in text for run in runs for between in (" ", "", "\n", ","))


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "cp1252"]
)
def test_a_text_keeps_its_encoding_and_loses_its_secret(encoding: str) -> None:
    before, after = "Bitte helfen: für mich\r\n", "\r\nDanke, das wär’s"
    kept, found = guard.file(f"{before}{ENGLISH}{after}".encode(encoding))
    assert found == FoundInFile(PHRASE)
    assert kept == f"{before}[seed phrase removed]{after}".encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("between", ["", " ", "\n"])
def test_a_chinese_phrase_is_found_in_what_chinese_systems_write(encoding: str, between: str) -> None:
    kept, found = guard.file(f"我的助记词：{between.join(CHINESE)}".encode(encoding))
    assert found.removed == PHRASE
    assert not holds(kept, encoding, CHINESE)


MARKUP = {
    "csv": "nr,word\n" + "\n".join(f"{number},{word}" for number, word in enumerate(WORDS, 1)),
    "html": "<ol>" + "".join(f"<li><b>{word[:2]}</b>{word[2:]}</li>" for word in WORDS) + "</ol>",
    "json": json.dumps({"note": "x", "mnemonic": WORDS}),
    "escaped": json.dumps({"note": "助记词：" + " ".join(CHINESE)}),
    "rtf": "{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}\\f0 my seed\\par " + "\\par\r\n".join(WORDS) + "\\par}",
    "chinese rtf": "{\\rtf1\\ansi " + "".join(f"\\u{ord(one)}?" for one in CHINESE) + "}",
    "markdown": "\n".join(f"- **{word}**" for word in WORDS),
    "env": f'MNEMONIC="{ENGLISH}"\nDEBUG=1\n',
}


@pytest.mark.parametrize("kind", MARKUP)
def test_markup_hides_no_phrase(kind: str) -> None:
    kept, found = guard.file(MARKUP[kind].encode())
    assert found.removed == PHRASE
    assert not holds(texts.plainer(kept.decode()).encode(), "utf-8", WORDS)
    assert not holds(texts.plainer(kept.decode()).encode(), "utf-8", CHINESE)


def document(*parts: tuple[str, str], known_by: str = "[Content_Types].xml") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(known_by, "<Types/>")
        for name, xml in parts:
            archive.writestr(name, xml)
    return made.getvalue()


WORD = "".join(f"<w:p><w:r><w:t>{word[:2]}</w:t></w:r><w:r><w:t>{word[2:]}</w:t></w:r></w:p>" for word in WORDS)
SHEET = "<sst>" + "".join(f"<si><t>{word}</t></si>" for word in WORDS) + "</sst>"
OPEN = "<text:p>" + ENGLISH.replace(" ", "<text:s/>") + "</text:p>"


@pytest.mark.parametrize(
    "content",
    [
        document(("word/document.xml", f"<w:body>{WORD}</w:body>")),
        document(("xl/sharedStrings.xml", SHEET)),
        document(("content.xml", OPEN), known_by="mimetype"),
    ],
    ids=["word", "excel", "opendocument"],
)
def test_a_document_that_holds_a_secret_is_not_kept(content: bytes) -> None:
    kept, found = guard.file(content)
    assert (kept, found) == (b"\0[seed phrase removed]", FoundInFile(PHRASE, withheld=True))


def test_what_cannot_be_searched_is_kept_and_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = document(("word/document.xml", "<w:p>Where is my transfer?</w:p>"))
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    archive = document(("words.txt", ENGLISH), known_by="words2.txt")
    monkeypatch.setattr(documents, "MOST_BYTES", 1_000)
    bomb = document(("word/document.xml", "a " * 100_000))
    many = document(*((f"{number}.xml", "") for number in range(documents.MOST_PARTS)))
    assert guard.file(harmless) == (harmless, FoundInFile())
    for content in (picture, archive, bomb, many, harmless[:-30], b"%PDF-1.7 " + ENGLISH.encode()):
        assert guard.file(content) == (content, FoundInFile(searched=False)), content[:20]


def test_of_a_long_text_the_beginning_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_TEXT", 2_000)
    log = b"a line of a log\n" * 200
    kept, found = guard.file(ENGLISH.encode() + b"\n" + log)
    assert found == FoundInFile(PHRASE, searched=False)
    assert kept.endswith(log)


def test_a_kind_that_is_let_pass_stays() -> None:
    content = b"hello\nmy password is Sunny2026!\n"
    assert guard.file(content, {SecretKind.PASSWORD}) == (content, FoundInFile())
    assert guard.file(content)[1].removed == (Removed(SecretKind.PASSWORD),)


def test_what_was_read_in_a_picture_decides() -> None:
    assert guard.picture(b"png", None) == (b"png", FoundInFile(searched=False))
    assert guard.picture(b"png", "Where is my transfer?") == (b"png", FoundInFile())
    assert guard.picture(b"png", ENGLISH)[1] == FoundInFile(PHRASE, withheld=True)
