"""The desk's values in words of one language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from markupsafe import Markup, escape

from bot.domain.channel import Capabilities
from bot.domain.characters import shows
from bot.domain.conversation import Contact
from bot.domain.decision import Turn
from bot.domain.forms import Detail, Kind
from bot.domain.message import Message, MessageFormat
from bot.domain.said import Fault, Refusal, Said
from bot.domain.secret import LABEL, PUTS_FUNDS_AT_RISK, Removed, in_words
from bot.pipeline.rendering import plain
from bot.ports import Words

PREVIEW = 160
BRIEF = 500
SHORT_DETAIL = 14
"""Characters."""
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_TOPIC = re.compile(r"[a-z]\w*")
_PLACE = re.compile("\x00(\\w+)\x00")


@dataclass(frozen=True, slots=True)
class Speech:
    """What templates and routes say, in ``locale``."""

    words: Words
    locale: str
    capabilities: Mapping[str, Capabilities] = field(default_factory=dict)
    """Of the channels, by name."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """What the topics are called, by topic."""

    def say(self, key: str, /, **values: object) -> str:
        """A phrase as plain text."""
        return self.words.say(key, self.locale, **values)

    def tell(self, said: Said) -> str:
        values = {name: self.fault(one) if isinstance(one, Fault) else one for name, one in said.values.items()}
        return self.say(said.key, **values)

    def fault(self, fault: Fault) -> str:
        """What went wrong; in its own words where it has no phrase, or one that the desk no longer has."""
        return self.tell(fault.said) if fault.said and self.words.has(fault.said.key) else fault.words

    def html(self, key: str, /, **values: object) -> Markup:
        """A phrase in a template: ``**so**`` is bold in it, and what fills it is markup only where it is marked so."""
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        places = {name: f"\0{name}\0" for name in values.keys() - numbers.keys()}
        # Plain text from here on: what is put into markup would be escaped.
        text = _BOLD.sub(r"<b>\1</b>", str(escape(self.say(key, **numbers, **places))))
        return Markup(_PLACE.sub(lambda match: escape(values[match[1]]), text))  # noqa: S704 (escaped, all of it)

    def refusal(self, error: Exception) -> str:
        """Why something was refused."""
        if isinstance(error, Refusal):
            return self.tell(error.said)
        words = str(error)
        return f"{words[:1].upper()}{words[1:].rstrip('.')}."

    @property
    def globals(self) -> Mapping[str, Any]:
        return {
            "say": self.html,
            "locale": self.locale,
            "topics": sorted(self.titles, key=self.topic),
            "direction": self.words.direction(self.locale),
            "bdi": partial(_marked, "bdi"),
            "bold": lambda text: Markup('<b dir="auto">{}</b>').format(text),
            "struck": partial(_marked, "s"),
            "verdict": self.verdict,
        }

    @property
    def filters(self) -> Mapping[str, Callable[..., Any]]:
        return {
            "told": self.tell,
            "fault": self.fault,
            "label": self.label,
            "called": self.called,
            "channel": self.channel,
            "platform": self.platform,
            "topic": self.topic,
            "glyph": self.glyph,
            "signed_in": self.signed_in,
            "shortly": self.shortly,
            "line": self.line,
            "preview": self.preview,
            "brief": self.brief,
            "kind": self.kind,
            "readable": self.readable,
            "blanks": self.blanks,
            "removed": self.removed,
            "display_name": self.display_name,
            "number": partial(_in, self.words.number, self.locale),
            "percent": partial(_in, self.words.percent, self.locale),
            "file_size": partial(_in, self.words.size, self.locale),
            "seconds": partial(_in, self.words.duration, self.locale),
            "ago": partial(_in, self.words.ago, self.locale),
            "utc": partial(_in, self.words.moment, self.locale),
        }

    def label(self, text: str) -> str:
        """The phrase of that key; any other text, as a page of an installed package may have it, as it is."""
        return self.say(text) if self.words.has(text) else text

    def called(self, contact: Contact) -> str:
        """The customer's name, or what they are known by without one: nobody is merely "Visitor"."""
        return self.display_name(contact.called, self.say("console.visitor", code=contact.code))

    def channel(self, name: str) -> str:
        """What agents call the channel."""
        can = self.capabilities.get(name)
        return self.label(can.title) if can is not None and can.title else name

    def platform(self, contact: Contact) -> str:
        """Where the contact writes: an account that says which platform it is, else the channel."""
        can = self.capabilities.get(contact.channel)
        return contact.account if can is not None and can.named_accounts else self.channel(contact.channel)

    def topic(self, name: str) -> str:
        """What a topic is called; by its name, where it has no answer any more that would say."""
        return self.titles.get(name, name)

    def glyph(self, contact: Contact) -> str:
        """The sign of the contact's channel, as ``components/icons.html`` takes it."""
        can = self.capabilities.get(contact.channel)
        return can.icon if can is not None and can.icon else "channels"

    def signed_in(self, contact: Contact) -> bool:
        """Whether the contact's platform knows who writes: not, where anybody at the same browser may."""
        can = self.capabilities.get(contact.channel)
        return can is not None and can.signed_in

    def shortly(self, detail: Detail) -> str:
        """A detail in a list: enough of it to tell it from another one."""
        value = detail.value.upper() if detail.kind is Kind.COIN else detail.value
        return value if len(value) <= SHORT_DETAIL else f"{value[:6]}…{value[-4:]}"

    def readable(self, text: str) -> str:
        """A text with the labels of removed secrets in the reader's language."""
        return in_words(text, self.say)

    def blanks(self, text: str) -> Markup:
        """The same in a template, each label marked as such."""
        parts: list[str] = []
        done = 0
        for label in LABEL.finditer(text):
            blank = Markup('<b class="blank">{}</b>').format(self.readable(label[0]))
            parts += (escape(text[done : label.start()]), blank)
            done = label.end()
        return Markup("").join((*parts, escape(text[done:])))

    def removed(self, one: Removed) -> str:
        """That a message held a secret, and what agents do about it."""
        what = self.say("console.secret.removed", what=self.say(f"secret.kind.{one.kind}"))
        key = "doubtful" if one.doubtful else "at_risk" if one.kind in PUTS_FUNDS_AT_RISK else "do_not_ask"
        return self.say("console.secret.both", what=what, then=self.say(f"console.secret.{key}"))

    def line(self, message: Message) -> str:
        """What a line of the desk's says; one that was written before lines were phrases, in its own words."""
        if message.said is None:
            return message.text
        values = dict(message.said.values)
        if "reason" in values:
            values["reason"] = self.say(f"console.reason.{values['reason']}")
        words = self.say(message.said.key, **values)
        if why := values.get("why"):
            return self.say("console.line.because", line=words, why=why)
        if topics := values.get("topics"):
            named = _TOPIC.sub(lambda found: self.topic(found[0]), str(topics))
            words += f" {self.say('console.line.ranking', topics=named)}"
        return words

    def kind(self, kind: str) -> str:
        """A kind of attachment."""
        key = f"console.attachment.{kind}"
        return self.say(key if self.words.has(key) else "console.attachment.other")

    def preview(self, message: Message) -> str:
        """One line of a message, for a list."""
        text = plain(message.text) if message.format is MessageFormat.MARKDOWN else message.text[: 4 * PREVIEW]
        line = self.readable(" ".join(text.split()))
        if not line and message.attachments:
            line = ", ".join(self.kind(attachment.kind) for attachment in message.attachments)
        if not shows(line):
            line = self.say("console.message.nothing_to_see")
        if message.context.forward is not None:
            line = self.say("console.context.forwarded_line", line=line)
        return line if len(line) <= PREVIEW else line[:PREVIEW].rstrip() + "…"

    def brief(self, message: Message) -> str:
        """A message in a history that is only looked into."""
        text = plain(message.text) if message.format is MessageFormat.MARKDOWN else self.line(message)
        text = self.readable(text)
        files = "".join(f"[{attachment.name or self.kind(attachment.kind)}]" for attachment in message.attachments)
        text = "\n".join(filter(None, [text.strip(), files]))
        if message.context.forward is not None:
            text = self.say("console.context.forwarded_line", line=text)
        return text if len(text) <= BRIEF else text[:BRIEF].rstrip() + "…"

    def verdict(self, turn: Turn) -> str:
        """What the bot made of a message, in one line: ``answered Fees explained · 97%``."""
        best = next((ranked for ranked in turn.ranking if ranked.name == turn.topic), turn.ranking[0])
        confidence = self.words.percent(best.confidence, self.locale)
        topic = self.topic(best.name)
        return self.say(f"console.message.verdict.{turn.action or 'answer'}", topic=topic, confidence=confidence)

    def display_name(self, name: str, otherwise: str | None = None) -> str:
        """Without the marks that would turn letters around: nobody looks like somebody else."""
        return _DIRECTIONS.sub("", self.readable(name)).strip() or (
            self.say("console.nameless") if otherwise is None else otherwise
        )


def _marked(tag: str, text: object) -> Markup:
    return Markup("<{0}>{1}</{0}>").format(Markup(tag), text)  # noqa: S704 (one of our own tags)


def _in(written: Callable[[Any, str], str], locale: str, value: object) -> str:
    return written(value, locale)
