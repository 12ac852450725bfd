"""Topics that are drafts: added, finished, made live."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot.content import drafts
from bot.content.answers import Answers, ContentError, read_answer
from bot.content.check import MIN_EXAMPLES, problems, read_example_file, read_examples
from handoff.rules import NO_TOPIC
from intents.paths import EnginePaths
from intents.training import content_hash
from tests.support.topics import FILES, LOCALES, NAME, TITLES, finish, replace


def load(data: Path) -> Answers:
    return Answers(data, LOCALES, {})


def lacks(data: Path, name: str = NAME) -> list[str]:
    return [line.replace(f"{data}/", "") for line in drafts.missing(data, load(data), name)]


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_draft_has_a_file_for_the_examples_and_an_answer_in_each_locale(data: Path) -> None:
    made = drafts.add(data, LOCALES, NAME, TITLES)
    assert [path.relative_to(data / "drafts").as_posix() for path in made] == list(FILES)
    assert drafts.drafts(data) == [NAME]
    examples = list(read_examples(data / "drafts" / "nlu"))
    assert [(example.intent, example.language) for example in examples] == [(NAME, "en"), (NAME, "zh")]
    assert (
        made[2]
        .read_text(encoding="utf-8")
        .startswith("---\ntitle: 邀请好友奖励\nhandoff: offer\npriority: normal\nbuttons: []\n---\n")
    )


def test_nothing_that_serves_or_trains_sees_a_draft(data: Path) -> None:
    paths = EnginePaths(data=data, var=data.parent / "var")
    before = (content_hash(paths), load(data).topics, list(read_examples(data / "nlu")))
    drafts.add(data, LOCALES, NAME, TITLES)
    finish(data)
    assert (content_hash(paths), load(data).topics, list(read_examples(data / "nlu"))) == before
    assert list(problems(data, load(data))) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Refund", "small letters"),
        ("refund-late", "small letters"),
        ("refund__late", "small letters"),
        ("_refund", "small letters"),
        ("2fa", "small letters"),
        ("返利", "small letters"),
        ("../refund", "small letters"),
        ("refund\n", "small letters"),
        ("", "small letters"),
        ("yes", "YAML"),
        ("null", "YAML"),
        ("nlu_fallback", "reserved"),
        ("session_start", "reserved"),
        ("out_of_scope", "reserved"),
        ("affirm", "reserved"),
        ("r" * 59, "at most 58"),
        ("password_reset", "there is a topic password_reset already: .*password_reset.yml"),
    ],
)
def test_a_name_that_no_topic_may_have(data: Path, name: str, message: str) -> None:
    before = files(data)
    with pytest.raises(drafts.TopicError, match=message):
        drafts.add(data, LOCALES, name, TITLES)
    assert files(data) == before


def test_what_the_policy_treats_in_its_own_way_is_reserved() -> None:
    assert NO_TOPIC <= drafts.RESERVED


def test_a_name_is_taken_by_a_single_file_of_any_kind(data: Path) -> None:
    (data / "answers" / "fr").mkdir()
    (data / "answers" / "fr" / "gift_card.md").write_text("x")
    with pytest.raises(drafts.TopicError, match=r"already: .*fr/gift_card\.md"):
        drafts.add(data, LOCALES, "gift_card", TITLES)
    drafts.add(data, LOCALES, NAME, TITLES)
    with pytest.raises(drafts.TopicError, match=rf"already: .*drafts/nlu/{NAME}\.yml"):
        drafts.add(data, LOCALES, NAME, TITLES)


def test_a_name_is_taken_by_examples_in_a_file_of_another_name(data: Path) -> None:
    replace(data / "nlu" / "fee_reduce.yml", "intent: fee_reduce", "intent: cheap_hours")
    with pytest.raises(drafts.TopicError, match=r"examples of cheap_hours already, in .*fee_reduce\.yml"):
        drafts.add(data, LOCALES, "cheap_hours", TITLES)


def test_all_files_or_none(data: Path) -> None:
    (data / "drafts" / "answers").mkdir(parents=True)
    # A file where a folder must be: the third of the three files cannot be made.
    (data / "drafts" / "answers" / "zh").write_text("in the way")
    with pytest.raises(drafts.TopicError, match=rf"zh/{NAME}\.md: cannot be made"):
        drafts.add(data, LOCALES, NAME, TITLES)
    assert [path.name for path in files(data / "drafts")] == ["zh"]


def test_an_interrupted_addition_leaves_no_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Path.open

    def interrupted(path: Path, *args: object, **named: object) -> object:
        if path.parent.name == "zh":
            raise KeyboardInterrupt
        return written(path, *args, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drafts.add(data, LOCALES, NAME, TITLES)
    assert files(data / "drafts") == {}


@pytest.mark.parametrize("title", ['Fees: "why" #1', "- yes", "no", "[x]", "收费？", "x" * 40])
def test_any_title_survives_the_file(data: Path, title: str) -> None:
    _, path, _ = drafts.add(data, LOCALES, NAME, {"en": title})
    replace(path, "{write_the_answer_here}", "words")
    assert read_answer(path, "en").title == title


@pytest.mark.parametrize("title", ["", "  ", "x" * 41])
def test_a_title_that_no_button_can_carry(title: str) -> None:
    with pytest.raises(drafts.TopicError, match="1 to 40 characters"):
        drafts.check_title(title)


def test_a_locale_that_yaml_would_misread(data: Path) -> None:
    path, *_ = drafts.add(data, ("no",), NAME, {})
    assert [example.language for example in read_example_file(path)] == ["no"]


def test_a_new_draft_lacks_everything(data: Path) -> None:
    drafts.add(data, LOCALES, NAME, {"zh": "邀请好友奖励"})
    assert lacks(data) == [
        f"drafts/nlu/{NAME}.yml: not written yet: examples in en, 0 of {MIN_EXAMPLES}"
        " ({write_an_example_here} still stands there)",
        f"drafts/nlu/{NAME}.yml: not written yet: examples in zh, 0 of {MIN_EXAMPLES}"
        " ({write_an_example_here} still stands there)",
        f"drafts/answers/en/{NAME}.md: not written yet: title and answer",
        f"drafts/answers/zh/{NAME}.md: not written yet: answer",
    ]


def test_a_finished_draft_lacks_nothing(data: Path) -> None:
    drafts.add(data, LOCALES, NAME, TITLES)
    finish(data)
    assert lacks(data) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            FILES[0],
            "    - zh referral_reward question number 0\n",
            "",
            f"{FILES[0]}: too few examples: 24 in zh, not 25",
        ),
        (FILES[0], "en referral_reward question number 0", "密码忘了", "duplicate example, also in password_reset"),
        (FILES[0], "en referral_reward question number 0", "EN referral_reward question number 1!", "example, twice"),
        (FILES[0], "    - en referral_reward question number 0", "    -no space", "begins with '- ', not: -no space"),
        (FILES[0], f"intent: {NAME}", "intent: reward", f"the intent is reward, not {NAME} as the file says"),
        (FILES[0], "nlu:", "nlu: [", "cannot be read"),
        (
            FILES[0],
            "- en referral_reward question number 0",
            "- {write_an_example_here}\n    - x",
            "25 of 25 ({write_an",
        ),
        (
            FILES[1],
            "buttons: []",
            "buttons: [fee_reduction]",
            f"{FILES[1]}: dead button: fee_reduction has no answer in en",
        ),
        (FILES[1], "buttons: []", f"buttons: [{NAME}]", "leads to this same answer"),
        (FILES[2], "handoff: offer", "handoff: always", f"{FILES[2]}: handoff or priority differs from"),
        (FILES[2], "handoff: offer", "handoff: perhaps", f"{FILES[2]}: handoff: "),
        (FILES[2], "邀请好友奖励", "忘记密码", f"{FILES[2]}: the title is also that of password_reset"),
        (FILES[2], "You both get a reward.", "", f"{FILES[2]}: the answer is empty"),
    ],
)
def test_a_mistake_in_a_draft(data: Path, file: str, old: str, new: str, message: str) -> None:
    drafts.add(data, LOCALES, NAME, TITLES)
    finish(data)
    replace(data / "drafts" / file, old, new)
    assert any(message in line for line in lacks(data)), lacks(data)
    with pytest.raises(drafts.Unfinished, match=f"{NAME} stays a draft"):
        drafts.make_live(data, load(data), NAME)
    assert drafts.drafts(data) == [NAME]


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_missing_from_a_draft(data: Path, file: str) -> None:
    drafts.add(data, LOCALES, NAME, TITLES)
    finish(data)
    (data / "drafts" / file).unlink()
    assert lacks(data) == [f"drafts/{file}: is missing"]


def test_a_draft_of_a_topic_that_there_is(data: Path) -> None:
    drafts.add(data, LOCALES, NAME, TITLES)
    finish(data)
    shutil.copy(data / "drafts" / FILES[1], data / FILES[1])
    (line,) = (line for line in lacks(data) if "rename" in line)
    assert line.startswith(f"{FILES[1]}: there is a topic of this name already")


def test_a_draft_made_by_hand_with_a_name_that_no_topic_may_have(data: Path) -> None:
    (data / "drafts" / "nlu").mkdir(parents=True)
    shutil.copy(data / "nlu" / "deny.yml", data / "drafts" / "nlu" / "deny.yml")
    assert "deny is reserved" in lacks(data, "deny")[0]


def test_a_mistake_elsewhere_does_not_hide_what_a_draft_lacks(data: Path) -> None:
    drafts.add(data, LOCALES, NAME, TITLES)
    (data / "nlu" / "greet.yml").write_text("nlu: [")
    assert len(lacks(data)) == 4


def test_unfinished_files_moved_by_hand_reach_no_customer(data: Path) -> None:
    for path in drafts.add(data, LOCALES, NAME, TITLES):
        path.rename(data / path.relative_to(data / "drafts"))
    with pytest.raises(ContentError, match=rf"en/{NAME}\.md: not written yet: answer"):
        load(data)


def test_a_finished_draft_goes_live_as_it_was_written(data: Path) -> None:
    drafts.add(data, LOCALES, NAME, TITLES)
    finish(data)
    written = [(data / "drafts" / file).read_bytes() for file in FILES]
    moved = drafts.make_live(data, load(data), NAME)
    assert moved == [data / file for file in FILES]
    assert [path.read_bytes() for path in moved] == written
    assert drafts.drafts(data) == []
    assert load(data).render(NAME, "zh") == "You both get a reward."
    assert list(problems(data, load(data))) == []


def test_a_draft_that_cannot_be_moved_whole_stays_whole(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts.add(data, LOCALES, NAME, TITLES)
    finish(data)
    before = files(data)
    renamed = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if target == data / FILES[0]:
            raise PermissionError(13, "Permission denied")
        return renamed(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(drafts.TopicError, match=rf"nlu/{NAME}\.yml: cannot be moved: Permission denied"):
        drafts.make_live(data, load(data), NAME)
    assert files(data) == before


def test_there_is_no_such_draft(data: Path) -> None:
    with pytest.raises(drafts.TopicError, match="no draft of a topic refund; there are no drafts at all"):
        drafts.make_live(data, load(data), "refund")
    drafts.add(data, LOCALES, NAME, TITLES)
    with pytest.raises(drafts.TopicError, match=f"no draft of a topic password_reset; drafts are {NAME}"):
        drafts.make_live(data, load(data), "password_reset")
