"""``switchboard check``: each mistake is found, and the shipped content has none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot.content.answers import Answers, ContentError
from bot.content.check import MIN_EXAMPLES, partial_languages, problems, read_examples
from bot.content.procedures import read_procedure
from bot.content.words import SHIPPED
from bot.domain.decision import Action, Decision
from bot.domain.dialogue import DialogueState
from bot.pipeline.speech import Speech
from bot.settings import ROOT

ANSWER = "---\ntitle: {title}\nhandoff: {handoff}\nbuttons: [{buttons}]\n---\nwords\n"


def write(folder: Path, *, en_examples: list[str] | None = None, zh_count: int = MIN_EXAMPLES) -> None:
    """A small content folder without a mistake, but for the arguments."""
    for locale in ("en", "zh"):
        (folder / "phrases").mkdir(exist_ok=True)
        shutil.copy(SHIPPED / f"{locale}.yml", folder / "phrases")
        answers = folder / "answers" / locale
        answers.mkdir(parents=True, exist_ok=True)
        for topic, button in (("fees", "delay"), ("delay", "fees")):
            (answers / f"{topic}.md").write_text(ANSWER.format(title=topic, handoff="never", buttons=button))
    (folder / "nlu").mkdir(exist_ok=True)
    for topic in ("fees", "delay"):
        english = en_examples if en_examples and topic == "fees" else [f"{topic} {n}" for n in range(MIN_EXAMPLES)]
        chinese = [f"关于{topic}的问题{n}" for n in range(zh_count if topic == "fees" else MIN_EXAMPLES)]
        blocks = "".join(
            f"- intent: {topic}\n  metadata:\n    language: {language}\n  examples: |\n"
            + "".join(f"    - {example}\n" for example in examples)
            for language, examples in (("en", english), ("zh", chinese))
        )
        (folder / "nlu" / f"{topic}.yml").write_text(f'version: "3.1"\nnlu:\n{blocks}', encoding="utf-8")


def found(folder: Path) -> list[str]:
    return list(problems(folder, Answers(folder, ("en", "zh"), {})))


def test_the_shipped_content_is_in_order() -> None:
    assert found(ROOT / "data") == []


def test_all_intents_of_the_domain_are_there() -> None:
    intents = {example.intent for example in read_examples(ROOT / "data" / "nlu")}
    # More, once a support lead has added topics.
    assert len(intents - {"out_of_scope"}) >= 35


def test_content_without_a_mistake(tmp_path: Path) -> None:
    write(tmp_path)
    assert found(tmp_path) == []


def test_a_list_of_names_is_no_topic(tmp_path: Path) -> None:
    write(tmp_path)
    names = 'version: "3.1"\nnlu:\n- lookup: exchange\n  examples: |\n    - acme\n'
    (tmp_path / "nlu" / "others.yml").write_text(names, encoding="utf-8")
    assert found(tmp_path) == []


def test_a_missing_answer(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "answers" / "zh" / "fees.md").unlink()
    texts = found(tmp_path)
    assert any("zh/fees.md: missing answer for the intent fees" in text for text in texts)
    assert any("zh/delay.md: dead button: fees has no answer in zh" in text for text in texts)


def test_an_answer_that_nothing_leads_to(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "nlu" / "fees.yml").unlink()
    assert any("no training examples lead to this answer" in text for text in found(tmp_path))


def test_answers_of_one_topic_that_disagree(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "answers" / "zh" / "fees.md").write_text(ANSWER.format(title="x", handoff="always", buttons=""))
    assert any("handoff or priority differs" in text for text in found(tmp_path))


def test_the_same_example_in_two_intents(tmp_path: Path) -> None:
    examples = [f"fees {n}" for n in range(MIN_EXAMPLES)]
    write(tmp_path, en_examples=[*examples, "Delay  3!"])
    (text,) = found(tmp_path)
    assert "duplicate example, also in delay: Delay  3!" in text


def test_too_few_examples(tmp_path: Path) -> None:
    write(tmp_path, zh_count=MIN_EXAMPLES - 1)
    (text,) = found(tmp_path)
    assert f"fees.yml: too few examples: {MIN_EXAMPLES - 1} in zh" in text


def test_phrases_that_are_missing_or_never_said(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "phrases" / "en-GB.yml"
    path.write_text((SHIPPED / "en.yml").read_text().replace("  welcome: ", "  welcom: "))
    texts = list(problems(tmp_path, Answers(tmp_path, ("en", "zh", "en-GB"), {})))
    assert any("missing phrase customer.welcome" in text for text in texts)
    assert any("nothing says the phrase customer.welcom" in text for text in texts)


def test_a_training_file_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "nlu" / "fees.yml").write_text("nlu:\n- intent: fees\n")
    (text,) = found(tmp_path)
    assert "fees.yml: each block under 'nlu' needs intent, metadata.language and examples" in text


def test_a_partial_language_is_told_in_one_line(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "phrases" / "fr.yml").write_text("customer:\n  helped: Parfait !\n")
    (tmp_path / "answers" / "fr").mkdir()
    (tmp_path / "answers" / "fr" / "fees.md").write_text(ANSWER.format(title="frais", handoff="never", buttons="delay"))
    answers = Answers(tmp_path, ("en", "zh", "fr"), {})
    assert list(problems(tmp_path, answers)) == []
    (line,) = partial_languages(answers)
    of = len(answers.words.translated("en"))
    counts = f"fr is partial: {of - 1} of {of} phrases and 1 of 2 answers missing"
    assert line.endswith(f"fr.yml: {counts}; those of the default language (en) are shown")
    assert answers.topic_button("delay", "fr") == answers.topic_button("delay", "en")
    # Once it says that it is complete, what it lacks is a mistake.
    path = tmp_path / "phrases" / "fr.yml"
    path.write_text(f"complete: true\n{path.read_text()}")
    answers = Answers(tmp_path, ("en", "zh", "fr"), {})
    assert list(partial_languages(answers)) == []
    texts = list(problems(tmp_path, answers))
    for mistake in (
        "missing phrase",
        "missing answer for the intent delay",
        "dead button",
        "too few examples: 0 in fr",
    ):
        assert any(mistake in text for text in texts), mistake


def test_who_may_not_read_the_answer_still_finds_the_way_to_a_person(tmp_path: Path) -> None:
    write(tmp_path)
    french = "{did_it_help: Utile ?, button_helped: Oui, button_not_helped: 'Non, une personne'}"
    (tmp_path / "phrases" / "fr-CA.yml").write_text(f"customer: {french}\n")
    speech = Speech(Answers(tmp_path, ("en", "zh", "fr-CA"), {}))
    decision = Decision(Action.ANSWER, topic="fees", asks_whether_it_helped=True)
    (reply,) = speech.replies(decision, DialogueState(), "fr")
    assert reply.text == "words\n\nUtile ?"
    assert [button.label for button in reply.buttons] == ["Oui", "Non, une personne", "delay"]


def test_a_locale_may_have_phrases_and_no_answers(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "phrases" / "fr.yml").write_text("language: Français\ncustomer:\n  helped: Parfait !\n")
    answers = Answers(tmp_path, ("en", "zh", "fr"), {})
    assert list(problems(tmp_path, answers)) == []
    assert answers.answered == ("en", "zh")
    assert answers.render("fees", "fr") == answers.render("fees", "en") == "words"
    assert answers.words.say("customer.helped", "fr") == "Parfait !"


@pytest.mark.parametrize(("notice", "problem"), [("nowhere", "there is no step nowhere"), ("done", "asks nothing")])
def test_what_stands_under_a_notice_asks_something(tmp_path: Path, notice: str, problem: str) -> None:
    text = f"""
title: {{en: Login}}
topics: [suspicious_login]
start: first
notice: {notice}
steps:
  first: {{say: {{en: "Was anything lost?"}}, choices: [{{to: done, label: {{en: "No"}}}}]}}
  done: {{say: {{en: Good.}}, ends: solved}}
"""
    path = tmp_path / "login.yml"
    path.write_text(text)
    with pytest.raises(ContentError, match=problem):
        read_procedure(path)
    path.write_text(text.replace(f"notice: {notice}", "notice: first"))
    assert read_procedure(path).notice == "first"
