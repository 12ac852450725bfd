"""What a file is by its first bytes, and what it may be called. What anybody claims of a file is not believed."""

from __future__ import annotations

import re
import unicodedata

HEAD = 64
"""Bytes that tell what a file is."""
MAX_NAME = 150

_BY_START = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
)
_BY_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_STILLS = frozenset({b"heic", b"heix", b"heif", b"hevc", b"mif1", b"msf1", b"avif", b"avis"})
"""Pictures in the box of films, which not every browser shows."""
EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/flac": "flac",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
"""Of every media type that browsers show or play and never execute: the ending of its files' names."""
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What every browser and every chat shows."""
_KINDS = {"image": "photo", "audio": "audio", "video": "video"}
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*")


def playable(head: bytes) -> str | None:
    """The media type of a picture, a sound or a film that browsers show and never execute; None for all else."""
    for start, media_type in _BY_START:
        if head.startswith(start):
            return media_type
    if head[:4] == b"RIFF":
        return _BY_RIFF.get(head[8:12])
    if head[4:8] == b"ftyp" and head[8:12] not in _STILLS:
        return "audio/mp4" if head[8:11] in (b"M4A", b"M4B") else "video/mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm" if b"webm" in head else None
    # The beginning of a frame without a header: eleven bits that say so, and which layer.
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return {0x00: "audio/aac", 0x02: "audio/mpeg"}.get(head[1] & 0x06)
    return None


def picture_type(content: bytes) -> str | None:
    """The media type of a picture that every browser and chat shows; None for anything else."""
    found = playable(content[:HEAD])
    return found if found in PICTURES else None


def media_type_of(content: bytes, claimed: str) -> str:
    """By the first bytes; a claim is good for what those cannot tell, and never makes a picture."""
    found = playable(content[:HEAD])
    if found is not None:
        return found
    claim = claimed.split(";")[0].strip().lower()
    if _MEDIA_TYPE.fullmatch(claim) and not claim.startswith(("image/", "audio/", "video/")):
        return claim
    return "application/octet-stream"


def kind_of(media_type: str) -> str:
    """The kind of an attachment with that media type, believed or only claimed."""
    return _KINDS.get(media_type.partition("/")[0].strip().lower(), "file")


def safe_name(name: str) -> str:
    """Without folders and without characters that are not seen; empty if nothing is left."""
    name = name.replace("\\", "/").rpartition("/")[2]
    # Controls, and the marks that would make "exe.gpj" read as "jpg.exe".
    shown = "".join(letter for letter in name if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    shown = shown.strip().lstrip(".")
    if len(shown) > MAX_NAME:
        stem, dot, extension = shown.rpartition(".")
        kept = dot + extension if stem and len(extension) <= 10 else ""
        shown = shown[: MAX_NAME - len(kept)] + kept
    return shown


def named(name: str, kind: str, media_type: str | None) -> str:
    """What a download is called, also where nobody named it."""
    extension = EXTENSIONS.get(media_type or "", "bin")
    return safe_name(name) or f"{kind}.{extension}"
