"""What procedures look up (``bot.ports.LookUp``): the state of the customer's own case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.conversation import Conversation, ConversationState
from bot.domain.forms import Detail
from bot.store.conversations import Conversations

_SAYS = {
    ConversationState.QUEUED: "customer.case_waiting",
    ConversationState.ASSIGNED: "customer.case_with_agent",
    ConversationState.RESOLVED: "customer.case_resolved",
}


class TicketStatus:
    """The state of the customer's last case with a person. It is found by who asks, never by a number: a stranger who
    quotes one learns nothing."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def look_up(self, conversation: Conversation, known: Sequence[Detail]) -> Mapping[str, object] | None:  # noqa: ARG002
        case = await self._conversations.last_case(conversation.contact.id)
        if case is None or case.state not in _SAYS:
            return None
        return {"say": _SAYS[case.state], "since": case.resolved_at or case.queued_at or case.updated_at}
