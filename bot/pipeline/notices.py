"""Notices in words: what another system has the desk say, and the question that belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import structlog

from bot import guard
from bot.content.answers import Answers
from bot.domain.decision import Action, Decision
from bot.domain.dialogue import DialogueState
from bot.domain.message import Reply
from bot.domain.notice import Notice, NoticeReceipt, NoticeRefused
from bot.domain.procedure import Procedure
from bot.domain.secret import SecretKind
from bot.pipeline.rendering import as_markdown
from bot.pipeline.speech import Speech
from bot.store.notices import Notices, Wording

log = structlog.get_logger(__name__)


class StoredNotices:
    """``bot.ports.Notices`` over the store."""

    def __init__(
        self,
        notices: Notices,
        answers: Answers,
        speech: Speech,
        procedures: Mapping[str, Procedure],
        lets_pass: Iterable[SecretKind] = (),
    ) -> None:
        """Kinds of secret that the deployment ``lets_pass`` may stand in notices, too."""
        self._lets_pass = frozenset(lets_pass)
        self._notices = notices
        self._answers = answers
        self._speech = speech
        self._by_topic = {topic: procedure for procedure in procedures.values() for topic in procedure.topics}

    async def give(self, notice: Notice) -> NoticeReceipt:
        # First: it may have been said before its topic was removed, or its contact left.
        if (earlier := await self._notices.earlier(notice)) is not None:
            return earlier
        if notice.topic is not None and not self._answers.variants(notice.topic):
            raise NoticeRefused("no_topic", f"there is no topic {notice.topic}")
        contact, spoken = await self._notices.contact(notice)
        words = self._answers.words
        locale = words.negotiate([notice.locale, spoken, contact.language])
        text = _in(notice.texts, locale, words.default)
        if not text.strip():
            raise NoticeRefused("empty", "the notice has no text")
        try:
            # Before what it becomes in Markdown: the search knows plain text.
            text = guard.agents(text, self._lets_pass)
        except guard.SecretInWords as error:
            kinds = ", ".join(error.kinds)
            raise NoticeRefused("secret", f"the text holds what must not stand in a chat: {kinds}") from None
        receipt = await self._notices.add(notice, contact.id, self._wording(notice, text, locale), locale)
        log.info(
            "notice",
            action="notice",
            source=notice.source,
            channel=notice.channel,
            conversation=receipt.conversation_id,
            message=receipt.message_id,
            duplicate=receipt.duplicate,
        )
        return receipt

    def _wording(self, notice: Notice, text: str, locale: str) -> Wording:
        """With the bot, the question of the topic's procedure stands under the notice. People ask for themselves."""
        # Two blanks before a line's end: Markdown would take the lines for one.
        lines = "  \n".join(as_markdown(line) for line in text.strip().split("\n"))
        alone = Reply(guard.outgoing(lines))
        if notice.topic is None:
            return Wording(alone, None, alone)
        decision = Decision(Action.ANSWER, about=notice.topic)
        procedure = self._by_topic.get(notice.topic)
        if procedure is not None and procedure.notice is not None:
            asked = procedure.steps[procedure.notice]
            decision = replace(decision, procedure=procedure.name, steps=(asked.name,), asks=asked.asks)
            (question,) = self._speech.replies(decision, DialogueState(), locale)
            return Wording(
                Reply(guard.outgoing(f"{lines}\n\n{question.text}"), buttons=question.buttons), decision, alone
            )
        return Wording(alone, decision, alone)


def _in(texts: Mapping[str, str], locale: str, default: str) -> str:
    """In the language, else without one, else in the default's, else whichever there is."""
    known = {name.lower().replace("_", "-"): text for name, text in texts.items()}
    tags = (locale.lower(), locale.lower().split("-")[0], "", default.lower(), *known)
    return next((known[tag] for tag in tags if tag in known), "")
