"""What reads the text in customers' pictures, where a deployment has that."""

from __future__ import annotations

from typing import Protocol


class ReadsPictures(Protocol):
    """Optional: an installed package brings one. Its entry point in the group ``switchboard.picture_readers`` names a
    class or function that makes it, without arguments. Without one, pictures are kept unsearched, and marked so for
    agents."""

    async def read(self, picture: bytes) -> str:
        """All that is written in a PNG, JPEG, GIF or WebP, line by line; empty where nothing is. Strangers chose these
        bytes: they go to no other machine and to no file. May raise, and is given up after some seconds: the picture
        then counts as unsearched."""
        ...
