"""Scripts, style sheets and pictures at addresses that change with their content."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from bot.web import SHARED
from bot.web.assets import TYPES, Assets


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "a.js").write_text("import './b.js'")
    (tmp_path / "b.js").write_text("")
    (tmp_path / "a.css").write_text("p {}")
    return {"a.js": tmp_path / "a.js", "pages/b.js": tmp_path / "b.js", "a.css": tmp_path / "a.css"}


def browser(assets: Assets) -> TestClient:
    app = FastAPI()
    app.include_router(assets.router())
    return TestClient(app)


def test_a_file_is_kept_for_ever_under_the_address_of_its_version(files: dict[str, Path]) -> None:
    assets = Assets(files)
    answer = browser(assets).get(assets.address("pages/b.js"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert assets.names == ["a.css", "a.js", "pages/b.js"]


def test_what_another_version_has_is_not_kept(files: dict[str, Path]) -> None:
    answer = browser(Assets(files)).get("/static/0123456789ab/a.css")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize("change", ["content", "name", "gone", "moved"])
def test_any_change_gives_all_files_another_address(files: dict[str, Path], change: str) -> None:
    before = Assets(files).address("a.js")
    assert Assets(dict(reversed(files.items()))).address("a.js") == before, "their order makes no difference"
    if change == "content":
        files["a.css"].write_text("p { }")
    elif change == "name":
        files["c.css"] = files.pop("a.css")
    elif change == "gone":
        files["a.css"].unlink()
    else:
        # The same bytes in the same order, divided in another way.
        files["a.css"].write_text("p")
        files["a.js"].write_text(" {}import './b.js'")
    assert Assets(files).address("a.js") != before


@pytest.mark.parametrize("name", ["c.js", "..%2fa.js", "pages/../a.js", "%00", "b.js", "a.js/", ""])
def test_only_what_was_given_can_be_asked_for(files: dict[str, Path], name: str) -> None:
    client = browser(Assets(files))
    assert client.get(f"/static/x/{name}").status_code == (200 if name == "pages/../a.js" else 404)


def test_a_file_that_is_missing_is_not_there(files: dict[str, Path], tmp_path: Path) -> None:
    assets = Assets(files | {"htmx.min.js": tmp_path / "nowhere.js"})
    assert browser(assets).get(assets.address("htmx.min.js")).status_code == 404
    assert "htmx.min.js" not in assets.names


def test_what_is_read_later_is_what_was_released(files: dict[str, Path]) -> None:
    assets = Assets(files)
    files["a.css"].write_text("changed under a running desk")
    assert browser(assets).get(assets.address("a.css")).text == "p {}"


def test_what_all_pages_share_is_there() -> None:
    assert set(SHARED) == {"holder.js", "maybe_secret.js", "pairs.js", "stream.js", "tokens.css", "words.js"}
    assert all(file.is_file() and file.suffix in TYPES for file in SHARED.values())
