from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intents.models import KEPT_MODELS, Guess, Measured, ModelError, ModelInfo, ModelStore, held

A, B, C, D, E, F = (f"{letter}" * 12 for letter in "abcdef")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def add(store: ModelStore, *models: str) -> None:
    """Each newer than the one before."""
    for model in models:
        with store.adding(model) as path:
            path.write_text(model)
        newest = max((store.path(other).stat().st_mtime for other in store.models() if other != model), default=1e9)
        os.utime(store.path(model), (newest + 1, newest + 1))


def test_an_empty_store(store: ModelStore) -> None:
    assert store.models() == []
    assert store.live() is None
    store.remove_old()
    with pytest.raises(ModelError, match="none at all"):
        store.find("a")
    with pytest.raises(ModelError, match="no live model"):
        store.find("live")


def test_the_newest_is_first(store: ModelStore) -> None:
    add(store, B, A, C)
    assert store.models() == [C, A, B]


def test_a_model_that_is_not_finished_is_none(store: ModelStore) -> None:
    def fail() -> None:
        with store.adding(A) as path:
            path.write_text("half of it")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(store.folder.iterdir()) == []


def test_the_model_before_is_remembered(store: ModelStore) -> None:
    add(store, A, B)
    before = datetime.now(UTC)
    store.make_live(A, A, "the first")
    live = store.make_live(B, B, "better")
    assert (live.model, live.content, live.previous, live.why) == (B, B, A, "better")
    assert live.since >= before
    assert ModelStore(store.folder).live() == live
    # A new decision for the same model forgets nothing.
    assert store.make_live(B, C, "stays").previous == A
    assert store.make_live(A, C, "back").previous == B


@pytest.mark.parametrize("content", ["", "{", '{"model": "aaaaaaaaaaaa"}', "[]"])
def test_a_pointer_that_cannot_be_read_is_said_and_can_be_written_anew(store: ModelStore, content: str) -> None:
    add(store, A)
    (store.folder / "live.json").write_text(content)
    with pytest.raises(ModelError, match=r"live\.json cannot be read.*models use"):
        store.live()
    store.make_live(A, A, "chosen")
    assert store.find("live") == A


def test_whoever_reads_the_pointer_gets_a_whole_one(store: ModelStore) -> None:
    store.make_live(A, A, "first")
    ended = threading.Event()
    seen: list[str] = []
    failures: list[Exception] = []

    def read() -> None:
        while not ended.is_set():
            try:
                live = store.live()
                assert live is not None
                seen.append(live.model)
            except Exception as error:
                failures.append(error)

    def write(model: str) -> None:
        for _ in range(100):
            store.make_live(model, model, "x" * 5000)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(model,)) for model in (B, C)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    for thread in readers:
        thread.join()
    assert failures == []
    assert {B, C} <= set(seen)
    assert [path.name for path in store.folder.iterdir()] == ["live.json"]


@pytest.mark.parametrize(("name", "model"), [("b", B), ("BBB", B), (A, A), ("live", B), ("previous", A)])
def test_a_model_is_found_by_what_is_enough(store: ModelStore, name: str, model: str) -> None:
    add(store, A, B)
    store.make_live(A, A, "")
    store.make_live(B, B, "")
    assert store.find(name) == model


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ab", "'ab' may be abcdefabcdef or ab0000000000"),
        ("f", "no model 'f'. There are: abcdefabcdef, ab0000000000"),
        ("", "no model ''"),
        ("previous", "no previous model"),
        ("live", "live model aaaaaaaaaaaa is gone"),
    ],
)
def test_a_name_that_means_no_model_is_explained(store: ModelStore, name: str, why: str) -> None:
    add(store, "ab0000000000", "abcdefabcdef")
    store.make_live(A, A, "")
    with pytest.raises(ModelError, match=why):
        store.find(name)


def test_what_is_known_of_a_model_stays_beside_it(store: ModelStore) -> None:
    add(store, A)
    guess = Guess(intent="greet", confidence=0.9, sure=True)
    info = ModelInfo(
        content=A,
        trained=datetime(2030, 1, 2, tzinfo=UTC),
        seconds=31.5,
        examples=60,
        intents=6,
        measured=Measured(code="1", guesses={"你好\u2028": guess}),
    )
    store.keep_info(A, info)
    assert ModelStore(store.folder).info(A) == info


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_model_that_came_alone_is_known_by_its_file(store: ModelStore, content: str | None) -> None:
    add(store, A)
    os.utime(store.path(A), (1_900_000_000, 1_900_000_000))
    if content is not None:
        (store.folder / f"{A}.json").write_text(content)
    info = store.info(A)
    assert (info.content, info.trained) == (A, datetime.fromtimestamp(1_900_000_000, UTC))
    assert (info.seconds, info.examples, info.intents, info.measured) == (None, None, None, None)


def test_the_live_one_the_one_before_and_the_newest_stay(store: ModelStore) -> None:
    add(store, A, B)
    store.make_live(A, A, "")
    store.make_live(B, B, "")
    for model in (C, D, E, F):
        add(store, model)
        store.keep_info(model, store.info(model))
    store.remove_old()
    assert KEPT_MODELS == 3
    assert store.models() == [F, E, D, B, A]
    assert not (store.folder / f"{C}.json").exists()
    assert (store.folder / f"{D}.json").exists()


def test_a_model_in_use_stays(store: ModelStore) -> None:
    add(store, A, B, C, D, E)
    with held(store.path(A)):
        store.remove_old()
        assert store.models() == [E, D, C, A]
    store.remove_old()
    assert store.models() == [E, D, C]


def test_nothing_goes_while_nobody_knows_what_is_live(store: ModelStore) -> None:
    add(store, A, B, C, D)
    (store.folder / "live.json").write_text("?")
    store.remove_old()
    assert store.models() == [D, C, B, A]


def test_what_a_killed_training_left_goes_a_day_later(store: ModelStore) -> None:
    add(store, A)
    fresh, old = store.folder / f".1-{B}.tar.gz", store.folder / f".2-{C}.tar.gz"
    fresh.write_text("")
    old.write_text("")
    os.utime(old, (1, 1))
    store.remove_old()
    assert fresh.exists()
    assert not old.exists()
