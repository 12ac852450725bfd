"""How a model goes live: measured against the live one, refused when it is worse."""

from __future__ import annotations

import json

import pytest

from intents.datasets import DatasetError
from intents.models import ModelError, ModelStore
from intents.offline import ParsingFailed
from intents.paths import EnginePaths
from intents.release import choose, compare, release
from intents.training import TrainingFailed, code_hash, content_hash
from tests.support.models import GOOD, SWAPPED, Steps, add, write


async def test_the_first_model_goes_live_unmeasured(paths: EnginePaths, store: ModelStore, report: Steps) -> None:
    released = await release(paths, report.step)
    assert report.taken == ["Training the intent model"]
    assert released.live.model == released.live.content == content_hash(paths)
    assert (released.comparison, released.refused) == (None, False)
    info = store.info(released.live.model)
    assert (info.examples, info.intents, info.content, info.measured) == (3, 2, content_hash(paths), None)
    assert info.seconds is not None
    # Decided is decided.
    assert await release(paths, report.step) == released
    assert len(report.taken) == 1


async def test_a_worse_one_is_refused_and_the_live_one_stays(
    paths: EnginePaths, store: ModelStore, report: Steps
) -> None:
    first = (await release(paths, report.step)).live
    write(paths, SWAPPED)
    bad = content_hash(paths)
    report.taken.clear()
    released = await release(paths, report.step)
    assert report.taken == ["Training the intent model", f"Measuring model {bad}", f"Measuring model {first.model}"]
    assert released.refused
    assert released.live == store.live() == first
    assert released.comparison is not None
    assert [loss.what for loss in released.comparison.losses] == [
        "in scope, best candidate right",
        "in scope, answered rightly",
        "wrong answers",
    ]
    assert [change.row.text for change in released.comparison.changes] == ["hello", "hi", "thank you"]
    assert (len(released.comparison.rows), released.comparison.skipped) == (4, 1)

    # Once more, without measuring anything twice.
    report.taken.clear()
    assert (await release(paths, report.step)).refused
    assert report.taken == []

    accepted = await release(paths, report.step, accept=True)
    assert (accepted.live.model, accepted.live.previous, accepted.refused) == (bad, first.model, False)
    assert report.taken == []


async def test_a_better_one_goes_live(paths: EnginePaths, report: Steps) -> None:
    write(paths, SWAPPED)
    bad = (await release(paths, report.step)).live
    write(paths, GOOD)
    released = await release(paths, report.step)
    assert not released.refused
    assert (released.live.model, released.live.previous) == (content_hash(paths), bad.model)
    assert f"not worse than {bad.model}" in released.live.why


async def test_a_rollback_holds_until_the_content_changes(paths: EnginePaths, store: ModelStore, report: Steps) -> None:
    first = (await release(paths, report.step)).live.model
    write(paths, GOOD | {"deny": "no"})
    second = (await release(paths, report.step)).live.model
    await choose(paths, report.step, store.find("previous"), "rolled back")
    assert (await release(paths, report.step)).live.model == first
    write(paths, GOOD | {"deny": "no | never"})
    third = (await release(paths, report.step)).live
    assert (third.model, third.previous) == (content_hash(paths), first)
    # The content is again that of the second, and the decision of then is over.
    write(paths, GOOD | {"deny": "no"})
    assert (await release(paths, report.step)).live.model == second


async def test_a_change_that_is_taken_back_needs_no_measuring(paths: EnginePaths, report: Steps) -> None:
    first = (await release(paths, report.step)).live
    write(paths, SWAPPED)
    assert (await release(paths, report.step)).refused
    write(paths, GOOD)
    report.taken.clear()
    released = await release(paths, report.step)
    assert (released.live.model, released.refused, report.taken) == (first.model, False, [])


async def test_only_new_rows_are_measured(paths: EnginePaths, store: ModelStore, report: Steps) -> None:
    await release(paths, report.step)
    write(paths, GOOD | {"refund": "refund"})
    live = (await release(paths, report.step)).live.model
    # A row that was skipped counts as soon as the content has its intent.
    measured = store.info(live).measured
    assert measured is not None
    assert list(measured.guesses) == ["hello", "hi", "thank you", "rain?", "refund"]
    with paths.regression.open("a") as file:
        file.write("cheers\tthanks\n")
    (paths.server / "parse.log").write_text("")
    write(paths, SWAPPED | {"refund": "refund"})
    assert (await release(paths, report.step)).refused
    measured = store.info(live).measured
    assert measured is not None
    assert list(measured.guesses)[-1] == "cheers"


async def test_without_a_regression_file_nothing_can_be_refused(paths: EnginePaths, report: Steps) -> None:
    await release(paths, report.step)
    paths.regression.unlink()
    write(paths, SWAPPED)
    released = await release(paths, report.step)
    assert released.live.model == content_hash(paths)
    assert "not measured" in released.live.why
    with pytest.raises(ModelError, match="no messages to compare"):
        await compare(paths, report.step, released.live.model, released.live.model)


async def test_a_live_one_that_new_components_cannot_load_makes_way(
    paths: EnginePaths, store: ModelStore, report: Steps
) -> None:
    old = (await release(paths, report.step)).live.model
    await compare(paths, report.step, old, old)
    store.path(old).write_text(json.dumps({"breaks": True}))
    (paths.server / "components" / "classifier.py").write_text("# 2\n")
    write(paths, SWAPPED)
    released = await release(paths, report.step)
    # What was measured with the components of before does not count.
    assert released.live.model == content_hash(paths)
    assert "cannot be loaded" in released.live.why
    with pytest.raises(ModelError, match=r"cannot be loaded any more.*no such component"):
        await choose(paths, report.step, old, "")
    assert store.live() == released.live


async def test_what_cannot_be_made_or_measured_leaves_the_live_one(
    paths: EnginePaths, store: ModelStore, report: Steps
) -> None:
    live = (await release(paths, report.step)).live
    (paths.data / "nlu" / "all.yml").write_text("nlu: [\n")
    with pytest.raises(TrainingFailed):
        await release(paths, report.step)
    write(paths, GOOD | {"deny": "no"})
    add(store, content_hash(paths), breaks=True)
    with pytest.raises(ParsingFailed):
        await release(paths, report.step)
    write(paths, GOOD | {"deny": "no | never"})
    paths.regression.write_text("text\nhello\n")
    with pytest.raises(DatasetError):
        await release(paths, report.step)
    assert store.live() == live


async def test_a_live_model_without_its_file_is_none(paths: EnginePaths, store: ModelStore, report: Steps) -> None:
    first = (await release(paths, report.step)).live
    store.path(first.model).unlink()
    assert (await release(paths, report.step)).live.model == first.model
    assert store.has(first.model)
    assert report.taken == ["Training the intent model"] * 2


async def test_an_old_model_goes_only_when_it_is_neither_live_nor_the_one_before(
    paths: EnginePaths, store: ModelStore, report: Steps
) -> None:
    made = []
    for number in range(6):
        write(paths, GOOD | {"deny": f"no {number}"})
        made.append((await release(paths, report.step)).live.model)
        if number == 1:
            break
    for number in range(2, 6):
        write(paths, SWAPPED | {"deny": f"no {number}"})
        assert (await release(paths, report.step)).refused
        made.append(content_hash(paths))
    assert set(store.models()) == {*made[:2], *made[-3:]}


def test_the_components_count_and_not_the_examples(paths: EnginePaths) -> None:
    before = code_hash(paths)
    write(paths, SWAPPED)
    assert code_hash(paths) == before
    (paths.server / "components" / "classifier.py").write_text("# 2\n")
    assert code_hash(paths) != before
