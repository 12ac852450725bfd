"""The text of office documents that are ZIP archives of XML: Word, Excel, PowerPoint, OpenDocument, EPUB."""

from __future__ import annotations

import html
import re
import zlib
from io import BytesIO
from zipfile import BadZipFile, ZipFile

MOST_PARTS = 5_000
"""Entries of an archive that is opened."""
MOST_BYTES = 20_000_000
"""Of XML that is unpacked: an archive of some kilobytes may hold gigabytes."""

_KNOWN_BY = frozenset({"[Content_Types].xml", "mimetype"})
_TEXT = re.compile(r"\.x?html?\Z|\.xml\Z", re.IGNORECASE)
_LOOKS = re.compile(r"(?:^|/)(?:styles|theme\d*|settings|fontTable|webSettings|numbering|manifest|META-INF)[./]")
"""Parts without words."""
_BREAK = re.compile(
    r"</(?:\w+:)?(?:p|h|h\d|si|is|v|tc|td|tr|row|li|div|list-item)>|<(?:\w+:)?(?:br|tab|s|line-break)\b[^<>]*>"
)
_TAG = re.compile(r"<[^<>]*>")


def document_text(content: bytes) -> tuple[str, bool]:
    """The words of the document, a paragraph or cell a line, and whether that is all of them: not where it is another
    kind of archive, is locked or broken, or has more than is unpacked."""
    if content.count(b"PK\x01\x02") > MOST_PARTS:
        return "", False
    texts: list[str] = []
    left = MOST_BYTES
    try:
        with ZipFile(BytesIO(content)) as archive:
            if _KNOWN_BY.isdisjoint(archive.namelist()):
                return "", False
            for part in archive.infolist():
                if not _TEXT.search(part.filename) or _LOOKS.search(part.filename):
                    continue
                with archive.open(part) as opened:
                    xml = opened.read(left + 1)
                texts.append(_words(xml[:left]))
                left -= len(xml)
                if left < 0:
                    return "\n".join(texts), False
    except (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError, zlib.error):
        return "\n".join(texts), False
    return "\n".join(texts), True


def _words(xml: bytes) -> str:
    """A word may be in several pieces, each with its own look: only what ends a paragraph or a cell divides words."""
    encoding = "utf-16" if xml[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", xml.decode(encoding, "replace"))))
