"""Small files of the desk's own beside the data folder, and in it."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def write(path: Path, text: str) -> None:
    """Writes a file that only its owner may read: whole or not at all. It belongs to whoever owns the folder, also
    when root writes it. No link is followed, so nobody who may write in that folder can turn this on another file."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            give_to_owner_of(path.parent, file.fileno())
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def read(path: Path) -> str | None:
    """Its text; None where there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def give_to_owner_of(folder: Path, descriptor: int) -> None:
    """What root made in another user's folder is that user's."""
    if sys.platform != "win32" and os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
