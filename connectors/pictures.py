"""What a file is by its content: names and claimed types may be wrong, or lie."""

from __future__ import annotations


def picture_type(content: bytes) -> str | None:
    """The media type of a picture that every browser and chat shows; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None
