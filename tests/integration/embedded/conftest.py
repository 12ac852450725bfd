"""Folders and running servers of the embedded PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bot.store.embedded import embedded
from tests.support.embedded import LONG, socket_of

PLACES = {"short": "var", "long": f"{LONG}/{LONG}/var", "closed": "$HOME `id` \"a\" 'b' & 100%, c\\d/var"}


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """Everybody may pass through it."""
    with TemporaryDirectory(prefix="switchboard-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module", params=list(PLACES))
def cluster(request: pytest.FixtureRequest, open_folder: Path) -> Iterator[tuple[Path, str]]:
    """A data folder in use, and its URL. ``closed`` is below one that is root's alone,
    and has a name that no shell and no list of hosts would take."""
    closed = request.param == "closed"
    above = open_folder / ("closed" if closed else "open") / PLACES[request.param]
    above.mkdir(parents=True)
    (open_folder / "closed").mkdir(exist_ok=True)
    (open_folder / "closed").chmod(0o700)
    before = modes(above)
    with embedded(above / "postgres") as url:
        assert modes(above) == before, "a folder above was opened"
        yield above / "postgres", url
    assert modes(above) == before
    assert not socket_of(url).exists()


def modes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mode for path in (folder, *folder.parents)}
