"""The three writes that most messages consist of, each one way to the database and back.

``receiving``, ``turns`` and ``deliveries`` come here first, and go on step by step where this says None: at a first
contact, an escalation, an edit. What is written is the same (``statements``); what is saved is the way: a commit costs
one round trip instead of eight, and the job of what was written is in this process's hands when it is committed
(``queue.statements.PRE_CLAIMED``), instead of announced, looked for, and read again.
"""

from __future__ import annotations

from bot.domain.message import ClearedIncoming, Receipt
from bot.domain.operations import TurnInput
from bot.queue import DELIVER, TURN, JobLease
from bot.store import rows
from bot.store.base import Area
from bot.store.statements import ANSWER, RECEIVE, SENT, TAKE_CONTACT
from bot.store.values import Values, received


class FastPath(Area):
    async def _receive_at_once(self, incoming: ClearedIncoming) -> Receipt | None:
        """A message of a known contact with an open conversation; None for anything else, and for a duplicate."""
        if not self._database.at_once:
            return None
        if incoming.removed or incoming.cleans:
            return None
        if incoming.edits or incoming.deletes or incoming.attachments or incoming.replies_to or incoming.group:
            return None
        values = received(incoming)
        with self._queue.slot() as slot:
            values["worker"] = slot.worker_id
            row = await self._queue.at_once((TAKE_CONTACT, values), (RECEIVE, values))
            if row is None:
                return None
            if row.job_id is not None:
                slot.begin(row.job_id, TURN, row.id, rows.new_turn(row))
        return Receipt(row.id, row.conversation_id)

    async def _answer_at_once(self, taken: TurnInput, values: Values, job: JobLease) -> bool | None:
        """The bot's reply in a conversation that it still has, and the end of the turn. Whether the reply is with its
        customer already; None where a human was faster, and nothing is said."""
        with self._queue.slot() as slot:
            values |= {"worker": slot.worker_id, "job": job.job_id, "attempts": job.attempts}
            row = await self._queue.at_once((ANSWER, values))
            job.ended(others_wait=row.others_wait)
            if row.job_id is not None:
                known = rows.delivery(
                    row,
                    rows.message(row),
                    rows.contact(row),
                    answered=taken.message.external_id,
                    thread=taken.conversation.thread,
                )
                slot.begin(row.job_id, DELIVER, row.id, known)
            return None if row.id is None else bool(row.shown)

    async def _sent_at_once(self, values: Values, job: JobLease) -> None:
        """The last part of a message is with the customer."""
        values |= {"job": job.job_id, "attempts": job.attempts}
        row = await self._queue.at_once((SENT, values))
        job.ended(others_wait=row.others_wait)
