"""The content: placeholders, locales, and files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.content.answers import Answers, ContentError
from bot.domain.conversation import Priority
from bot.domain.decision import Handoff
from bot.domain.message import Button

GOOD = "---\ntitle: Fees\nhandoff: offer\n---\nPaid to {brand}.\n\n- Call {phone}\n- Mail {email}\n"


def content(tmp_path: Path, **answers: str) -> Path:
    for locale in ("en", "zh"):
        (tmp_path / "phrases").mkdir(exist_ok=True)
        (tmp_path / "phrases" / f"{locale}.yml").write_text(
            f"language: {locale}\ncustomer:\n  help: hello {locale} {{agent}}\n"
        )
        (tmp_path / "answers" / locale).mkdir(parents=True, exist_ok=True)
    for name, text in answers.items():
        locale, _, topic = name.partition("_")
        (tmp_path / "answers" / locale / f"{topic}.md").write_text(text, encoding="utf-8")
    return tmp_path


def load(folder: Path) -> Answers:
    return Answers(folder, ("en", "zh"), {"brand": "BitPie", "phone": None, "email": "a@example.com"})


def test_a_line_without_a_value_is_left_out(tmp_path: Path) -> None:
    answers = load(content(tmp_path, en_fees=GOOD))
    assert answers.render("fees", "en") == "Paid to BitPie.\n\n- Mail a@example.com"


def test_front_matter_has_defaults(tmp_path: Path) -> None:
    answer = load(content(tmp_path, en_fees=GOOD)).get("fees", "en")
    assert answer is not None
    assert (answer.handoff, answer.priority, answer.buttons) == (Handoff.OFFER, Priority.NORMAL, ())


def test_the_customers_language_is_taken_where_there_is_an_answer_in_it(tmp_path: Path) -> None:
    answers = load(content(tmp_path, en_fees=GOOD, zh_fees=GOOD.replace("Fees", "手续费"), en_only=GOOD))
    assert answers.topic_button("fees", "zh") == Button("手续费", "topic:fees")
    assert answers.topic_button("fees", "es") == Button("Fees", "topic:fees")
    assert answers.topic_button("only", "zh") == Button("Fees", "topic:only")
    assert answers.topic_button("none", "zh") is None


def test_phrases_fall_back_to_the_default_locale(tmp_path: Path) -> None:
    answers = load(content(tmp_path, en_fees=GOOD))
    assert answers.words.say("customer.help", "zh", agent="Mei") == "hello zh Mei"
    assert answers.words.say("customer.help", None, agent="Mei") == "hello en Mei"
    assert answers.words.by_locale("customer.help", agent="M") == {
        "en": "hello en M",
        "zh": "hello zh M",
        "": "hello en M",
    }
    # What a value contains is never read as a placeholder again.
    assert answers.words.say("customer.help", "en", agent="{brand}") == "hello en {brand}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no front matter", "must begin with front matter"),
        ("---\ntitle: [\n---\nx", "not valid YAML"),
        ("---\ntitle: A\nhandoff: perhaps\n---\nx", "handoff"),
        ("---\nhandoff: never\n---\nx", "title"),
        ("---\ntitle: A\nhandoff: never\ncolour: red\n---\nx", "colour"),
        ("---\ntitle: A\nhandoff: never\n---\n", "the answer is empty"),
        ("---\ntitle: A\nhandoff: never\n---\nsend to {wallet}", "unknown placeholder {wallet}; allowed are brand"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ContentError) as error:
        load(content(tmp_path, en_fees=text))
    assert message in str(error.value)
    assert "fees.md" in str(error.value)
