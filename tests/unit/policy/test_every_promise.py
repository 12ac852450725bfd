"""Every answer and every step of the shipped content: what it asks for, given in a customer's words, is taken and
reaches a person or the next step; and every way through a procedure ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from bot.content.answers import Answers
from bot.content.coins import read_vocabulary
from bot.content.cues import read_cues
from bot.content.procedures import leads_to, read_procedures
from bot.domain.decision import Action, Decision, Handoff, transition
from bot.domain.dialogue import Ask, DialogueState
from bot.domain.engine import Prediction, Ranked
from bot.domain.forms import recognise
from bot.domain.heard import Heard
from bot.domain.procedure import End, Procedure, Step
from bot.settings import ROOT
from switchboard.wiring import Dialogue, dialogue_of
from tests.support.policy import THERE

DATA = ROOT / "data"
PROCEDURES = read_procedures(DATA)
VOCABULARY = read_vocabulary(DATA)
LOCALES = ("en", "zh")
GIVEN = {
    Ask.HASH: ("here it is 0x" + "3f" * 32, "哈希是" + "a1" * 32),
    Ask.ADDRESS: (
        "it went to 0x" + "52908400098527886e0f7030069857d2e4169ee7",
        "地址 0x" + "8617e340b3d01fa5f11f306f4090fd50e238070d",
    ),
    Ask.TICKET: ("73906", "工单号73906"),
    Ask.DEVICE: ("iPhone 13, iOS 17.2", "红米k60 安卓14"),
    Ask.AMOUNT: ("it was 300 USDT", "0.35个eth"),
    Ask.TIME: ("yesterday around 8 pm", "昨晚八点"),
    Ask.VERSION: ("5.0.172", "版本5.0.172"),
    Ask.MAILBOX: ("ann@example.com", "邮箱是 ann@example.com"),
    Ask.WORDS: ("it says something went wrong, then nothing", "页面写着出错了，然后就没反应"),
}


@cache
def dialogue() -> Dialogue:
    answers = Answers(DATA, LOCALES, {"brand": "Acme", "response_hours": "48"})
    return dialogue_of(answers, PROCEDURES, read_cues(DATA), VOCABULARY)


def told(state: DialogueState, text: str) -> Decision:
    """What the policy does when the engine can tell nothing from the words."""
    details = recognise(text, VOCABULARY, state.asked_kinds)
    nothing = Prediction(
        text, "out_of_scope", 0.4, (Ranked("out_of_scope", 0.4), Ranked("fee_explained", 0.1)), sure=False
    )
    return dialogue().policy.on_text(state, Heard(text, nothing, details=details, known=details), THERE)


def is_taken(state: DialogueState, text: str, ask: Ask) -> None:
    decision = told(state, text)
    assert decision.action in (Action.COLLECT, Action.ESCALATE, Action.ANSWER), text
    assert decision.understood, text
    assert decision.escalates or decision.steps, text
    if ask.kinds:
        assert {detail.kind for detail in decision.details} & ask.kinds, text


def asking_answers() -> Iterator[tuple[str, Ask]]:
    answers = dialogue().answers
    for topic in answers.topics:
        for ask in next(iter(answers.variants(topic).values())).asks:
            yield topic, ask


def asking_steps() -> Iterator[tuple[str, str, Ask]]:
    for procedure in PROCEDURES.values():
        for step in procedure.steps.values():
            for ask in step.asks:
                if step.ends is not End.PERSON:
                    yield procedure.name, step.name, ask


@pytest.mark.parametrize(("topic", "ask"), list(asking_answers()))
def test_what_an_answer_asks_for_is_taken(topic: str, ask: Ask) -> None:
    answer = next(iter(dialogue().answers.variants(topic).values()))
    said = Decision(Action.ANSWER, topic=topic, asks=answer.asks)
    for text in GIVEN[ask]:
        is_taken(transition(DialogueState(), said), text, ask)


@pytest.mark.parametrize(("procedure", "step", "ask"), list(asking_steps()))
def test_what_a_step_asks_for_is_taken(procedure: str, step: str, ask: Ask) -> None:
    found = PROCEDURES[procedure]
    said = Decision(
        Action.ANSWER, procedure=procedure, steps=(step,), about=found.topics[0], asks=found.steps[step].asks
    )
    for text in GIVEN[ask]:
        is_taken(transition(DialogueState(), said), text, ask)


@pytest.mark.parametrize("name", PROCEDURES)
def test_every_choice_leads_on_by_its_button_and_by_its_words(name: str) -> None:
    procedure, policy = PROCEDURES[name], dialogue().policy
    for step in procedure.steps.values():
        said = Decision(Action.ANSWER, procedure=name, steps=(step.name,), about=procedure.topics[0], asks=step.asks)
        state = transition(DialogueState(), said)
        for choice in step.choices:
            pressed = policy.on_step(procedure.payload(step, choice), state, Heard(""), THERE)
            assert pressed.escalates or pressed.steps, (step.name, choice.to)
            for text in (*choice.label.values(), *choice.words):
                chosen = told(state, text)
                # Words may hint at more than their choice: a wish for a person, or danger.
                assert chosen.escalates or chosen.steps or chosen.resumes, (step.name, text)


@pytest.mark.parametrize("name", PROCEDURES)
def test_every_way_ends_with_the_customer_helped_or_with_a_person(name: str) -> None:
    procedure = PROCEDURES[name]
    ends = {step.name for step in procedure.steps.values() if step.ends is not None or _to_person(step)}
    for step in procedure.steps.values():
        assert _reachable(procedure, step) & ends, step.name


def _to_person(step: Step) -> bool:
    """What is asked for goes to a person when it is there."""
    return bool(step.asks) and step.then is None


def _reachable(procedure: Procedure, step: Step) -> set[str]:
    reached, ahead = set[str](), [step.name]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += leads_to(procedure.steps[name])
    return reached


def test_whoever_promises_an_agent_gets_one() -> None:
    """An answer that says what an agent will do offers one."""
    for topic in dialogue().answers.topics:
        for locale, answer in dialogue().answers.variants(topic).items():
            promises = {"en": ("agent will", "agent looks", "agent reviews"), "zh": ("客服会", "客服将")}[locale]
            if any(promise in answer.body for promise in promises):
                assert answer.handoff is not Handoff.NEVER, (topic, locale)


def test_no_promise_without_code() -> None:
    """There is no ticket form on a website, and nothing but this chat is named unless it is configured."""
    never = ("ticket form", "website ticket", "submit a ticket", "提交工单", "网站工单", "拨打热线")
    texts = [a.body for topic in dialogue().answers.topics for a in dialogue().answers.variants(topic).values()]
    texts += [
        say for procedure in PROCEDURES.values() for step in procedure.steps.values() for say in step.say.values()
    ]
    for text in texts:
        assert not [phrase for phrase in never if phrase in text.lower()], text


def test_danger_has_no_menu() -> None:
    decision = dialogue().policy.on_text(DialogueState(), Heard("i want to kill myself", None), THERE)
    [reply] = dialogue().speech.replies(decision, DialogueState(), "en")
    assert decision.escalates
    assert reply.buttons == ()
    assert replace(decision, says=()).topic == "person_in_danger"
