"""Decisions in words: one message, in the order in which it is to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot import guard
from bot.content.answers import CANCEL, HELPED, HUMAN, NOT_HELPED, Answer, Answers
from bot.domain.decision import Action, Decision
from bot.domain.dialogue import DialogueState
from bot.domain.message import Button, Reply
from bot.domain.procedure import Procedure, Step
from bot.domain.said import Said


class Speech:
    def __init__(self, answers: Answers, procedures: Mapping[str, Procedure] | None = None) -> None:
        self._answers = answers
        self._words = answers.words
        self._procedures = procedures or {}

    def replies(self, decision: Decision, state: DialogueState, language: str | None) -> list[Reply]:
        """What the customer reads: sentences before, the answer or the steps, what is asked, sentences behind.

        ``state`` is what was open before the decision."""
        if decision.action is Action.SILENT:
            return []
        texts = [text for text in self._texts(decision, state, language) if text]
        buttons = [button for button in self._buttons(decision, state, language) if button is not None]
        if not texts:
            return []
        return [Reply(guard.outgoing("\n\n".join(texts)), buttons=tuple(dict.fromkeys(buttons)))]

    def _texts(self, decision: Decision, state: DialogueState, language: str | None) -> Iterator[str]:
        yield from (self._said(said, language) for said in decision.opening)
        answer = self._answer(decision, language)
        if answer is not None:
            yield self._words.fill(answer.body, answer.locale)
        if decision.follow_up is not None and decision.about is not None:
            about = self._answers.get(decision.about, language)
            if about is not None:
                yield self._words.fill(about.follow_ups.get(decision.follow_up, ""), about.locale)
        for step in self._steps(decision):
            yield self._in(step.say, language)
        yield from (self._said(said, language) for said in decision.says)
        if decision.names:
            titles = [answer.title for name in decision.names if (answer := self._answers.get(name, language))]
            yield self._words.say("customer.also_kept", language, topics=self._words.listed(titles, language))
        if decision.lacks:
            kinds = [self._words.say(f"customer.detail.{kind}", language) for kind in decision.lacks]
            yield self._words.say("customer.add_meanwhile", language, details=self._words.listed(kinds, language))
        if decision.asks_whether_it_helped:
            yield self._words.say("customer.did_it_help", language)
        if decision.resumes:
            waiting = self._waiting(state)
            if waiting is not None:
                yield (
                    self._words.say("customer.back_to", language) + "\n\n" + _question(self._in(waiting.say, language))
                )

    def _buttons(self, decision: Decision, state: DialogueState, language: str | None) -> Iterator[Button | None]:
        """What the customer may answer comes first; other topics stand behind it."""
        if decision.asks_whether_it_helped:
            yield Button(self._words.say("customer.button_helped", language), HELPED)
            yield Button(self._words.say("customer.button_not_helped", language), NOT_HELPED)
        steps = self._steps(decision)
        if steps and decision.procedure is not None and not decision.escalates:
            yield from self._choices(self._procedures[decision.procedure], steps[-1], language)
        waiting = self._waiting(state)
        if waiting is not None and state.procedure is not None and (decision.resumes or "choices" in decision.extra):
            yield from self._choices(self._procedures[state.procedure], waiting, language)
        answer = self._answer(decision, language)
        if answer is not None and decision.action is Action.ANSWER and not decision.resumes:
            yield from (self._answers.topic_button(topic, language) for topic in answer.buttons)
        yield from (self._answers.topic_button(topic, language) for topic in decision.offers)
        if HUMAN in decision.extra:
            yield Button(self._words.say("customer.button_human", language), HUMAN)
        if CANCEL in decision.extra:
            yield Button(self._words.say("customer.button_cancel", language), CANCEL)

    def _choices(self, procedure: Procedure, step: Step, language: str | None) -> Iterator[Button]:
        for choice in step.choices:
            yield Button(self._in(choice.label, language), procedure.payload(step, choice))

    def _steps(self, decision: Decision) -> list[Step]:
        procedure = self._procedures.get(decision.procedure or "")
        return [] if procedure is None else [procedure.steps[name] for name in decision.steps]

    def _waiting(self, state: DialogueState) -> Step | None:
        """The step whose question is open."""
        procedure = self._procedures.get(state.procedure or "")
        step = None if procedure is None else procedure.steps.get(state.step or "")
        return step if step is not None and step.waits else None

    def _answer(self, decision: Decision, language: str | None) -> Answer | None:
        return None if decision.topic is None else self._answers.get(decision.topic, language)

    def _said(self, said: Said, language: str | None) -> str:
        return self._words.say(said.key, self._words.match(language), **said.values)

    def _in(self, texts: Mapping[str, str], language: str | None) -> str:
        """In the customer's language, else the default's, else whichever there is."""
        locale = self._words.match(language)
        chosen = next((one for one in (locale or "", self._words.default, *texts) if one in texts), "")
        return self._words.fill(texts.get(chosen, ""), chosen)


def _question(text: str) -> str:
    """What a step asks, without what it explains before: its last paragraph."""
    return text.rpartition("\n\n")[2]
