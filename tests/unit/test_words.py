"""Words: phrases by key and locale, plural forms, numbers and dates, and which locale somebody gets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.content.problems import ContentError
from bot.content.words import Facts, Words, read_phrases
from bot.settings import load
from switchboard.wiring import load_words
from tests.support.words import WORDS

EN = """
language: English
desk:
  greeting: Hello {name}
  hours: |-
    We answer.
    Call {phone}
  off: is off
  files:
    one: "{n} file"
    other: "{n} files"
"""
RU = """
language: Русский
desk:
  files:
    one: "{n} файл"
    few: "{n} файла"
    many: "{n} файлов"
    other: "{n} файла"
"""


def made(tmp_path: Path, files: Mapping[str, str], *locales: str, facts: Facts | None = None) -> Words:
    (tmp_path / "phrases").mkdir(parents=True)
    for locale, text in files.items():
        (tmp_path / "phrases" / f"{locale}.yml").write_text(text, encoding="utf-8")
    return Words(tmp_path, locales, facts, shipped=tmp_path / "nothing")


def test_a_phrase_is_filled_and_the_rest_stays(tmp_path: Path) -> None:
    words = made(tmp_path, {"en": EN})
    assert words.say("desk.greeting", "en", name="Mei") == "Hello Mei"
    assert words.say("desk.greeting", "en") == "Hello {name}"
    # What a value contains is never read as a placeholder again.
    assert words.say("desk.greeting", "en", name="{phone}") == "Hello {phone}"


def test_a_word_that_yaml_takes_for_a_truth_value_is_a_word(tmp_path: Path) -> None:
    assert made(tmp_path, {"en": EN}).say("desk.off") == "is off"


def test_a_line_that_names_what_the_deployment_has_not_is_left_out(tmp_path: Path) -> None:
    assert made(tmp_path, {"en": EN}, facts={"phone": None}).say("desk.hours") == "We answer."


def test_a_fact_by_locale_is_told_in_each_and_else_in_the_default(tmp_path: Path) -> None:
    words = made(tmp_path, {"en": EN, "ru": RU}, "en", "ru", facts={"phone": {"en": "988"}})
    assert words.fill("Call {phone}", "ru") == "Call 988"
    words = made(tmp_path / "ru", {"en": EN, "ru": RU}, "en", "ru", facts={"phone": {"ru": "112"}})
    assert (words.fill("Call {phone}", "ru"), words.fill("Call {phone}", "en")) == ("Call 112", "")


@pytest.mark.parametrize(
    ("section", "en", "zh"),
    [
        (
            "{timezone: Asia/Shanghai, week: {"
            + ", ".join(f'{day}: ["09:00-12:30", "13:30-18:00"]' for day in ("mon", "tue", "wed", "thu", "fri"))
            + ', sat: ["10:00-24:00"]}}',
            "Mon–Fri 09:00–12:30, 13:30–18:00; Sat 10:00–24:00 (GMT+8)",
            "周一–周五 09:00–12:30, 13:30–18:00; 周六 10:00–24:00 (GMT+8)",
        ),
        (
            '{timezone: Europe/Berlin, week: {mon: ["22:00-06:00"], tue: ["22:00-06:00"], sun: ["9:00-10:00"]}}',
            "Mon, Tue 22:00–06:00; Sun 09:00–10:00 (Berlin)",
            "周一, 周二 22:00–06:00; 周日 09:00–10:00 (柏林)",
        ),
    ],
)
def test_working_hours_are_told_in_words(tmp_path: Path, section: str, en: str, zh: str) -> None:
    path = tmp_path / "config.yml"
    path.write_text(f"hours: {section}\nlocales: {{available: [en, zh]}}\n", encoding="utf-8")
    words = load_words(load({}, {}, path))
    assert (words.fill("{hours}", "en"), words.fill("{hours}", "zh")) == (en, zh)
    path.write_text(f"hours: {section}\npromises: {{hours: by day}}\n", encoding="utf-8")
    assert load_words(load({}, {}, path)).fill("{hours}", "zh") == "by day"


def test_hours_without_a_sentence_worth_telling_are_not_told(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    days = ", ".join(f'{day}: ["00:00-24:00"]' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    path.write_text(f"hours: {{week: {{{days}}}}}\n", encoding="utf-8")
    assert load_words(load({}, {}, path)).fill("Here\n{hours}", "en") == "Here"


def test_a_time_to_come_says_its_zone() -> None:
    at = datetime(2026, 11, 30, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert WORDS.when(at, "en") == "Mon, Nov 30 09:00 (GMT+8)"
    assert WORDS.when(at, "zh") == "11月30日周一 09:00 (GMT+8)"
    assert WORDS.when(at.astimezone(ZoneInfo("America/St_Johns")), "en") == "Sun, Nov 29 21:30 (GMT-3:30)"
    assert WORDS.when(at.astimezone(UTC), "en") == "Mon, Nov 30 01:00 (GMT)"


@pytest.mark.parametrize(
    ("locale", "n", "said"),
    [
        ("en", 0, "0 files"),
        ("en", 1, "1 file"),
        ("en", 1234, "1,234 files"),
        ("ru", 1, "1 файл"),
        ("ru", 3, "3 файла"),
        ("ru", 11, "11 файлов"),
        ("ru", 21, "21 файл"),
    ],
)
def test_the_number_chooses_the_form(tmp_path: Path, locale: str, n: int, said: str) -> None:
    assert made(tmp_path, {"en": EN, "ru": RU}, "en", "ru").say("desk.files", locale, n=n) == said


def test_what_a_locale_lacks_is_said_in_the_default(tmp_path: Path) -> None:
    words = made(tmp_path, {"en": EN, "ru": RU}, "en", "ru")
    assert words.say("desk.greeting", "ru", name="Аня") == "Hello Аня"
    assert words.by_locale("desk.greeting", name="A") == {"en": "Hello A", "ru": "Hello A", "": "Hello A"}
    assert words.say("desk.greeting", "fr", name="A") == "Hello A"


def test_the_shipped_phrases_stand_behind_a_deployments_own(tmp_path: Path) -> None:
    (tmp_path / "phrases").mkdir()
    (tmp_path / "phrases" / "zh.yml").write_text("chat:\n  send: 送出\n", encoding="utf-8")
    words = Words(tmp_path, ("zh",))
    assert words.say("chat.send", "zh") == "送出"
    assert words.say("chat.placeholder", "zh") == WORDS.say("chat.placeholder", "zh")


def test_a_phrase_that_nobody_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"en\.yml: no locale has the phrase desk\.none"):
        made(tmp_path, {"en": EN}).say("desk.none")


def test_a_locale_without_any_phrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"fr\.yml: there are no phrases in fr"):
        made(tmp_path, {"en": EN}, "en", "fr")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "must be a map of sections"),
        ("a: [\n", "not valid YAML"),
        ("a:\n  - b\n", "line 2: a must be a text, its plural forms, or a section"),
        ("a: b\na: c\n", "line 2: a stands here twice"),
        ("A b: c\n", "line 1: a key has small letters"),
        ("a:\n  other:\n    b: c\n  one: d\n", "line 3: a: the plural form other must be a text"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "en.yml"
    path.write_text(text)
    with pytest.raises(ContentError) as error:
        read_phrases(path)
    assert message in str(error.value)
    assert "en.yml" in str(error.value)


@pytest.mark.parametrize(
    ("asked", "locale"),
    [
        (["zh-Hans-CN", "en"], "zh"),
        (["ZH_cn"], "zh"),
        (["fr", "pt-PT"], "pt-BR"),
        (["pt-BR"], "pt-BR"),
        (["fr", None, ""], "en"),
        (["tlh"], "tlh"),
        ([], "en"),
    ],
)
def test_the_nearest_language_is_taken(tmp_path: Path, asked: list[str | None], locale: str) -> None:
    words = made(tmp_path, dict.fromkeys(("en", "zh", "pt-BR", "tlh"), EN), "en", "zh", "pt-BR", "tlh")
    assert words.negotiate(asked) == locale


def test_a_language_without_region_is_spoken_in_the_nearest_locale(tmp_path: Path) -> None:
    """The language of what a customer writes is told as ``pt``."""
    locales = ("en", "pt-BR", "pt-PT")
    words = made(tmp_path, {name: f"desk:\n  greeting: in {name} {{n}}\n" for name in locales}, *locales)
    assert words.say("desk.greeting", "pt", n=1) == "in pt-BR 1"
    assert words.say("desk.greeting", "pt-PT", n=1) == "in pt-PT 1"
    texts = words.by_locale("desk.greeting", n=1)
    assert {locale: text.removeprefix("in ") for locale, text in texts.items()} == {
        "en": "en 1",
        "pt-BR": "pt-BR 1",
        "pt-PT": "pt-PT 1",
        "pt": "pt-BR 1",
        "": "en 1",
    }


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("de, en;q=0.5, zh;q=0.7", "zh"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=much, en", "en"),
        (",;q=,*", "en"),
    ],
)
def test_a_browsers_favourite_goes_first(header: str, locale: str) -> None:
    assert WORDS.accepted(header) == locale


def test_numbers_sizes_and_ages_are_written_the_locales_way() -> None:
    assert WORDS.number(1234567, "en") == "1,234,567"
    assert WORDS.percent(0.42, "zh") == "42%"
    assert [WORDS.size(size, "en") for size in (900, 3_200, 25_000_000)] == ["900 byte", "3.2 kB", "25 MB"]
    assert [WORDS.duration(seconds, "en") for seconds in (0.44, 12.4, 300)] == ["0.4 sec", "12 sec", "5 min"]
    now = datetime.now(UTC)
    assert WORDS.ago(now - timedelta(seconds=20), "zh") == "刚刚"
    assert WORDS.ago(now - timedelta(minutes=5), "zh") == "5分钟前"
    assert WORDS.ago(now - timedelta(hours=3), "en") == "3 hr. ago"
    assert WORDS.ago(now + timedelta(hours=3), "en") == "just now"


def test_a_moment_is_in_utc_and_says_so() -> None:
    at = datetime(2026, 11, 27, 23, 5, tzinfo=UTC).astimezone()
    assert WORDS.moment(at, "zh") == "11月27日 23:05（UTC）"
    assert WORDS.moment(at, "en") == "Nov 27, 23:05 UTC"


def test_a_language_that_nobody_knows_writes_numbers_as_the_default_does(tmp_path: Path) -> None:
    words = made(tmp_path, {"en": EN, "tlh": EN.replace("English", "tlhIngan Hol")}, "en", "tlh")
    assert words.say("desk.files", "tlh", n=2000) == "2,000 files"
    assert (words.name("tlh"), words.direction("tlh")) == ("tlhIngan Hol", "ltr")


def test_some_languages_are_written_from_right_to_left(tmp_path: Path) -> None:
    words = made(tmp_path, {"en": EN, "ar": "desk: {}"}, "en", "ar")
    assert (words.direction("ar"), words.name("ar")) == ("rtl", "العربية")
