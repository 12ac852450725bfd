"""The shipped phrases: complete, said, and alike in every language; and nothing is said that is not one of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import pytest

from bot.content.phrase_check import phrase_problems, untranslated
from bot.content.problems import ContentError
from bot.content.usage import Usage, usage
from bot.content.words import SHIPPED, Words
from bot.domain.conversation import ConversationState, EscalationReason
from bot.domain.decision import Action
from bot.domain.forms import Kind
from bot.domain.secret import LABELS, SecretKind, in_words
from bot.settings import ROOT


def test_the_shipped_phrases_are_in_order() -> None:
    words = Words(ROOT / "data")
    assert {"en", "zh"} <= words.complete
    assert list(phrase_problems(words)) == []


@pytest.mark.parametrize(
    ("prefix", "values"),
    [
        ("console.message.verdict", Action),
        ("console.reason", EscalationReason),
        ("console.history", ConversationState),
        ("console.detail", Kind),
        ("secret.label", SecretKind),
    ],
)
def test_what_is_said_by_a_value_is_there_for_each_value(prefix: str, values: type[StrEnum]) -> None:
    """No source names these phrases, so that nothing else misses one."""
    words = Words(ROOT / "data")
    assert [value for value in values if not words.has(f"{prefix}.{value}")] == []


def test_labels_are_read_in_the_readers_language() -> None:
    words = Words(ROOT / "data")
    kept = f"mine is {LABELS[SecretKind.SEED_PHRASE]}, {LABELS[SecretKind.PASSWORD]} and [another bracket]"
    assert in_words(kept, lambda key: words.say(key, "en")) == kept
    assert (
        in_words(kept, lambda key: words.say(key, "zh"))
        == "mine is 【助记词已移除】, 【密码已移除】 and [another bracket]"
    )


def folder(tmp_path: Path, **files: str) -> Words:
    (tmp_path / "phrases").mkdir()
    for locale, text in files.items():
        (tmp_path / "phrases" / f"{locale}.yml").write_text(text)
    return Words(tmp_path, tuple(files), shipped=tmp_path / "nothing")


SAID = Usage({"a.b": Path("page.html"), "a.c": Path("code.py")}, frozenset({"a.d."}))


@pytest.mark.parametrize(
    ("en", "zh", "problem"),
    [
        ("a: {b: x}", "a: {b: x}", "code.py: no locale has the phrase a.c"),
        ("a: {b: x, c: x}", "complete: true\na: {b: x}", "zh.yml: missing phrase a.c"),
        ("a: {b: x}", "a: {b: x, c: x}", "en.yml: missing phrase a.c"),
        ("a: {b: x, c: x, e: x}", "a: {b: x, c: x}", "en.yml: nothing says the phrase a.e"),
        ("a: {b: 'x {n}', c: x}", "a: {b: x, c: x}", "zh.yml: a.b has the placeholders none; in en it has {n}"),
        ("a: {b: {other: x}, c: x}", "a: {b: {other: x}, c: x}", "en.yml: a.b has no text for the plural form one"),
    ],
)
def test_mistakes_are_found(tmp_path: Path, en: str, zh: str, problem: str) -> None:
    found = list(phrase_problems(folder(tmp_path, en=en, zh=zh), SAID))
    assert any(problem in text for text in found), found


def test_a_language_is_partial_unless_its_file_says_that_it_is_complete(tmp_path: Path) -> None:
    whole = "language: x\na: {b: x, c: x, d: {any: x}}"
    words = folder(tmp_path, en=whole, fr="a: {c: x}")
    assert words.complete == {"en"}
    assert list(phrase_problems(words, SAID)) == []
    assert (untranslated(words, "fr", SAID), untranslated(words, "en", SAID)) == ((3, 4), (0, 4))


def test_of_many_missing_phrases_some_are_named(tmp_path: Path) -> None:
    keys = [f"b{number:03}" for number in range(120)]
    said = Usage({f"a.{key}": Path("page.html") for key in keys})
    en = f"language: x\na: {{{', '.join(f'{key}: x' for key in keys)}}}"
    found = list(phrase_problems(folder(tmp_path, en=en, fr="complete: true\nlanguage: x"), said))
    assert len(found) == 21
    assert found[0].endswith("fr.yml: missing phrase a.b000")
    assert found[-1].endswith("fr.yml: 100 more phrases are missing; the file says `complete: true`")


def test_the_mark_of_a_complete_language_is_true_or_false(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"fr\.yml: complete must be true or false, not yes"):
        folder(tmp_path, en="a: {b: x}", fr="complete: yes\na: {b: x}")


def test_what_comes_along_with_the_desk_stands_behind_a_deployments_own(tmp_path: Path) -> None:
    (tmp_path / "phrases").mkdir()
    (tmp_path / "phrases" / "zh.yml").write_text("customer: {helped: 好的}")
    words = Words(tmp_path, ("en", "zh"))
    assert words.complete == {"en", "zh"}
    assert list(phrase_problems(words)) == []


def test_what_the_sources_say_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('say("desk.one")\nsay(f"desk.state.{state}")\nsay("other.two")\n')
    (tmp_path / "b.html").write_text("{{ say('desk.three') }} {{ say(\"desk.reason.\" ~ reason) }} desk.four")
    (tmp_path / "c.js").write_text('say(`desk.kind.${kind}`); import "./desk.js"; say("desk.five", { n: 1 });')
    found = usage(["desk"], [tmp_path])
    assert set(found.keys) == {"desk.one", "desk.three", "desk.five"}
    assert found.prefixes == {"desk.state.", "desk.reason.", "desk.kind."}
    assert found.has("desk.kind.note")
    assert not found.has("desk.four")


def test_the_shipped_files_have_no_phrase_of_nothing() -> None:
    for path in SHIPPED.glob("*.yml"):
        words = Words(ROOT / "data", (path.stem,))
        for key, phrase in words.own(path.stem).items():
            for text in [phrase] if isinstance(phrase, str) else phrase.values():
                assert text.strip() == text != "", (path.name, key)
