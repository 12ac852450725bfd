"""A simulated customer: tells a case, reads each reply, and writes what somebody in that state would write next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from benchmarks.cases.loading import World
from benchmarks.cases.model import PHOTO, Button, Case, Cause, Message, Turn, Wordings
from benchmarks.cases.reading import asked_for, false, locale, plain, readable, right

CHECKED = ("hash", "address", "ticket", "device", "version", "amount", "mailbox")
"""What an agent must find among the details once a customer gave it; the rest stands in the transcript."""
_HELPED = re.compile(r"help|solved|解决|帮", re.IGNORECASE)
_PLACE = re.compile(r"\{([a-z]+)\}")
_ACKNOWLEDGED = re.compile(
    r"^\W*(ok|okay|fine|thanks|thank you|好的?( 那我等)?|嗯|行|谢谢|cảm ơn|alright ill wait)\W*$", re.IGNORECASE
)
"""Needs no reply while a person is awaited, unless its customer is in danger."""
_FOLLOW_UPS = 2
_AT_A_TIME = 3


@dataclass
class Matter:
    """One thing a customer wants settled, and how far it is. Steps count the customer's turns from 1."""

    name: str
    cause: Cause
    holds: dict[str, str]
    then: list[str]
    told_at: int | None = None
    heard: list[str] = field(default_factory=list)
    solved_at: int | None = None
    let_go: bool = False


@dataclass
class Record:
    """What happened to a customer, as far as judging needs it."""

    steps: int = 0
    handed_at: int | None = None
    asked_at: int | None = None
    pushes: int = 0
    """How often they said that they were not served."""
    rephrased: int = 0
    repeats: int = 0
    asked_again: int = 0
    foreign: int = 0
    false_sentence: str | None = None
    abandoned: bool = False
    lacked: int = 0
    """How often they had to say that they do not have what was asked for."""
    menu: bool = False
    unnoticed: bool = False
    """Danger that was told while waiting, and taken for something else."""
    handed_after_thanks: bool = False
    left: str = ""
    given: dict[str, str] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)


class Customer:
    """Says the same to the same desk for the same seed."""

    def __init__(self, case: Case, world: World, seed: int = 1) -> None:
        self.case = case
        self.record = Record()
        first = Matter(case.cause, world.causes[case.cause], case.holds, list(case.then))
        if case.within is not None:
            first.cause = first.cause.model_copy(update={"within": case.within})
        self.matters = [first]
        self._world = world
        self._rng = Random(f"{seed}:{case.id}")  # noqa: S311 -- the choice of words
        self._language: str = case.language
        self._patience = case.patience
        self._seen: set[str] = set()
        self._said: set[str] = set()
        self._pressed: set[str] = set()
        self._corrects, self._switch, self._next = list(case.corrects), case.switch, case.next
        self._after = list(case.after)
        self._follow_ups = 0
        self._parting = False
        self._only_acknowledged = False
        self._answered: set[str] = set()

    @property
    def _words(self) -> Wordings:
        return self._world.wordings[self._language]

    @property
    def matter(self) -> Matter:
        """What is being talked about: the last that was told, or one that is still open behind it."""
        open_ones = [matter for matter in self.matters if matter.solved_at is None and not matter.let_go]
        return open_ones[-1] if open_ones else self.matters[-1]

    def opens(self) -> list[Message]:
        """The first messages."""
        self.record.asked_at = 0 if self.case.kind == "wants_person" else None
        if not self._corrects:
            self.matters[0].told_at = 1
        return self._say(self.case.says)

    def hears(self, turns: Sequence[Turn]) -> list[Message] | None:
        """Reads what the desk did with the last messages; what they write next, None when they leave."""
        self.record.steps += 1
        replies = [turn.said for turn in turns if turn.said]
        self._answered |= {turn.topic for turn in turns if turn.topic and turn.decision == "answer"}
        self._note(turns, replies)
        for matter in self.matters:
            if matter.told_at is not None and matter.cause.person == "at_once":
                matter.heard += [reply for reply in replies if readable(reply, self._language)]
        if self.record.false_sentence or self.record.menu:
            return None
        handed = any(turn.decision == "escalate" for turn in turns)
        if self._parting:
            self.record.handed_after_thanks = handed
            return None
        if self.record.handed_at is not None:
            return self._goes_on_waiting(turns, replies)
        if handed:
            self.record.handed_at = self.record.steps
            return self._while_waiting(replies)
        return self._reacts(turns, replies)

    def leaves(self, why: str) -> None:
        self.record.left = self.record.left or why

    # What is noticed in every reply.

    def _note(self, turns: Sequence[Turn], replies: list[str]) -> None:
        self.record.details += [detail.value for turn in turns for detail in turn.details or []]
        for reply in replies:
            if plain(reply) in self._seen:
                self.record.repeats += 1
                self._patience -= 1
            self._seen.add(plain(reply))
        told = [matter for matter in self.matters if matter.told_at is not None and not matter.let_go]
        checks = [self._world.falsehoods, *(matter.cause.wrong for matter in told)]
        found = [sentence for reply in replies for check in checks if (sentence := false(reply, check))]
        self.record.false_sentence = found[0] if found else None
        self.record.menu = any(m.cause.no_menu for m in told) and bool(turns[-1].buttons)

    # While a person is awaited.

    def _goes_on_waiting(self, turns: Sequence[Turn], replies: list[str]) -> list[Message] | None:
        if not replies and not self._only_acknowledged:
            self.record.abandoned = True
            return None
        urgent = self.matters[-1]
        if urgent.told_at == self.record.steps and urgent.cause.person == "at_once":
            noticed = any(t.decision == "escalate" or {t.topic, t.intent} & set(urgent.cause.topics) for t in turns)
            self.record.unnoticed = not noticed
        return self._while_waiting(replies)

    def _while_waiting(self, replies: list[str]) -> list[Message] | None:
        if self._follow_ups == _FOLLOW_UPS:
            return None
        self._follow_ups += 1
        scripted = self._scripted()
        if scripted is not None:
            return scripted
        wanted = self._can_give(replies)
        if wanted:
            return self._give(wanted)
        if self._after:
            said = self._after.pop(0)
            danger = any(matter.cause.no_menu for matter in self.matters)
            self._only_acknowledged = bool(_ACKNOWLEDGED.match(said)) and not danger
            return self._say([said])
        return None

    # While the desk goes on by itself.

    def _reacts(self, turns: Sequence[Turn], replies: list[str]) -> list[Message] | None:
        if not replies:
            self._patience -= 1
            return self._scripted() or self._push([])
        if not any(readable(reply, self._language) for reply in replies):
            self.record.foreign += 1
            return self._scripted() or self._push([], self._words.foreign)
        self._learn(turns)
        scripted = self._scripted()
        if scripted is not None:
            return scripted
        if all(matter.solved_at is not None or matter.let_go for matter in self.matters):
            self._parting = True
            return self._say([self._rng.choice(self._words.thanks)])
        return self._answers(turns, replies)

    def _learn(self, turns: Sequence[Turn]) -> None:
        for matter in self.matters:
            if matter.told_at is None or matter.solved_at is not None:
                continue
            if matter.cause.person not in ("either", "facts"):
                continue
            counts = [t.said for t in turns if t.decision != "ask_back" or matter.cause.asking_back_counts]
            matter.heard += [reply for reply in counts if reply and readable(reply, self._language)]
            if right(matter.heard, matter.cause):
                matter.solved_at = self.record.steps

    def _scripted(self) -> list[Message] | None:
        """What they meant to say next, whatever the desk replied."""
        if self._corrects:
            said, self._corrects = self._corrects, []
            self.matters[0].told_at = self.record.steps + 1
            return self._say(said)
        if self._switch:
            switch, self._switch = self._switch, None
            self._language = switch.language
            return self._say(switch.says)
        if self._next:
            following, self._next = self._next, None
            first = self.matters[0]
            first.let_go = following.when == "dropped" and first.solved_at is None and self.record.handed_at is None
            cause = self._world.causes[following.cause]
            told = self.record.steps + 1
            self.matters.append(Matter(following.cause, cause, following.holds, list(following.then), told))
            return self._say(following.says)
        return None

    def _answers(self, turns: Sequence[Turn], replies: list[str]) -> list[Message] | None:
        buttons = [button for turn in turns for button in turn.buttons or []]
        fitting = self._fitting(buttons, under_an_answer=turns[-1].decision == "answer")
        if fitting and self._rng.random() < 0.6:
            return self._press(fitting)
        wanted = self._can_give(replies)
        if wanted:
            return self._give(wanted)
        if fitting:
            return self._press(fitting)
        asked = self._asked(replies)
        if "words" in asked and self.matter.then:
            return self._rephrase()
        lacking = [kind for kind in asked if kind not in ("words", "tried", *self.matter.holds)]
        if any(kind in self.record.given for kind in asked):
            self.record.asked_again += 1
            return self._push(buttons, self._words.already)
        fresh = [kind for kind in lacking if f"lacks {kind}" not in self._said]
        if fresh:
            self._said |= {f"lacks {kind}" for kind in lacking}
            self.record.lacked += 1
            return self._say([self._rng.choice(self._words.not_have.get(fresh[0], self._words.not_have["default"]))])
        if "tried" in asked and "tried" not in self._said:
            self._said.add("tried")
            held = self.matter.holds.get("tried")
            return self._push([], [held] if held else self._words.tried)
        return self._push(buttons)

    def _push(self, buttons: list[Button], words: list[str] | None = None) -> list[Message] | None:
        """They are not served: they say so, ask for a person, or leave."""
        self.record.pushes += 1
        self._patience -= 2 if self.record.asked_at else 1
        mood = self.case.mood
        wants = self.case.kind == "wants_person" and self.record.pushes == 1
        if self._patience <= 0 or wants:
            insists = wants or (not self.record.asked_at and self._rng.random() < (0.5 if mood == "calm" else 0.8))
            if not insists:
                self.leaves("patience over")
                return None
            self._patience = max(self._patience, 1)
            return self._ask_for_a_person(buttons)
        unhelped = [button for button in buttons if self._labelled(button, self._world.nothing_helped)]
        if unhelped and not words and self._rng.random() < 0.5:
            return self._press(unhelped[0])
        if words is None and self.matter.then and self._rng.random() < 0.5:
            return self._rephrase()
        return self._say([self._unsaid(words or self._words.push[mood])])

    def _ask_for_a_person(self, buttons: list[Button]) -> list[Message]:
        self.record.asked_at = self.record.steps + 1
        offered = [button for button in buttons if self._labelled(button, self._world.person)]
        if offered:
            return self._press(offered[0])
        return self._say([self._unsaid(self._words.person[self.case.mood])])

    # Giving, pressing, saying.

    def _asked(self, replies: list[str]) -> list[str]:
        kinds = [kind for reply in replies for kind in asked_for(reply, self._world.asks)]
        if "status" in kinds and "status" not in self.matter.holds:
            kinds.append("error")  # "what does it say?": what they see is an error
        return list(dict.fromkeys(kinds))

    def _can_give(self, replies: list[str]) -> list[str]:
        holds = self.matter.holds
        asked = self._asked(replies)
        wanted = [k for k in asked if k in holds and k not in self.record.given and k not in ("words", "tried")]
        return wanted[:_AT_A_TIME]

    def _rephrase(self) -> list[Message]:
        self.record.rephrased += 1
        return self._say([self.matter.then.pop(0)])

    def _give(self, kinds: list[str]) -> list[Message]:
        words, parts = self._words, []
        for kind in kinds:
            value = self.matter.holds[kind]
            wording = self._rng.choice(words.give.get(kind, words.give["words"]))
            parts.append(wording.replace("{value}", value))
            self.record.given[kind] = value
        return self._say([self._rng.choice(words.join).join(parts)])

    def _fitting(self, buttons: list[Button], under_an_answer: bool) -> Button | None:
        """The button that fits best. Under an answer, other topics are for those who have another question."""
        cause = self.matter.cause
        fitting: list[tuple[int, int, Button]] = []
        for button in buttons:
            if button.payload in self._pressed or _HELPED.search(button.label):
                continue
            if self._labelled(button, self._world.nothing_helped) and not re.match(r"^(no|没有|否)\W*$", button.label):
                continue
            topic = button.payload.partition("topic:")[2]
            if topic and (under_an_answer or topic in self._answered):
                continue
            # A label that merely shares a word with the case is no reason to choose that topic.
            if topic in cause.topics or (not topic and self._labelled(button, cause.buttons)):
                fitting.append((cause.topics.index(topic) if topic in cause.topics else 0, len(fitting), button))
        return min(fitting)[2] if fitting else None

    def _labelled(self, button: Button, by_locale: dict[str, re.Pattern[str]]) -> bool:
        pattern = by_locale.get(locale(button.label))
        return bool(pattern and pattern.search(button.label))

    def _press(self, button: Button) -> list[Message]:
        self._pressed.add(button.payload)
        if self._labelled(button, self._world.person) and not self.record.asked_at:
            self.record.asked_at = self.record.steps + 1
        return [{"button": button.payload}]

    def _unsaid(self, wordings: list[str]) -> str:
        left = [words for words in wordings if words not in self._said] or wordings
        chosen = self._rng.choice(left)
        self._said.add(chosen)
        return chosen

    def _say(self, texts: Sequence[str]) -> list[Message]:
        return [{"attachment": "photo"} if text == PHOTO else {"text": self._filled(text)} for text in texts]

    def _filled(self, text: str) -> str:
        def held(match: re.Match[str]) -> str:
            self.record.given[match[1]] = self.matter.holds[match[1]]
            return self.matter.holds[match[1]]

        return _PLACE.sub(held, text)
