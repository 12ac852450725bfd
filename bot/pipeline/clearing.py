"""What customers bring is searched for secrets before anything else sees it, and once more in its turn.

A phrase may be spread over several messages. Where a message may be a part of one, those before it are read first; and
because two replicas may take two parts in the same moment, neither of which sees the other, the turn looks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bot import guard
from bot.domain.message import ClearedIncoming, Incoming, Message
from bot.domain.secret import Cleaning, FoundInFile, SecretKind

LONG = 4_000
"""Characters from which on a message is searched in a thread of its own: the desk goes on meanwhile."""


class Earlier(Protocol):
    """The store, as clearing needs it."""

    async def before(self, incoming: ClearedIncoming) -> guard.Before: ...
    async def before_message(self, of: Message) -> guard.Before: ...
    async def clean(self, cleanings: Sequence[Cleaning]) -> None: ...


class SearchedFiles(Protocol):
    """The store of files, as clearing needs it."""

    async def found(self, sha256s: Iterable[str]) -> Mapping[str, FoundInFile]: ...


class Clearing:
    def __init__(
        self, earlier: Earlier, lets_pass: Iterable[SecretKind] = (), files: SearchedFiles | None = None
    ) -> None:
        """Kinds of secret that this deployment ``lets_pass`` are left as they are. ``files`` knows what was found in
        those that came before their message."""
        self._earlier = earlier
        self._files = files
        self._lets_pass = frozenset(lets_pass)

    async def __call__(self, incoming: Incoming) -> ClearedIncoming:
        """The event as it may be recorded."""
        brought = {part.sha256 for part in incoming.attachments if part.sha256}
        files = await self._files.found(brought) if brought and self._files is not None else {}
        cleared = await self._guarded(incoming, guard.NOTHING_BEFORE, files)
        if guard.needs_before(incoming, cleared):
            cleared = await self._guarded(incoming, await self._earlier.before(cleared), files)
        return cleared

    async def again(self, message: Message) -> bool:
        """Whether a recorded message was, with those before it, a secret that nobody had seen whole: it is cut out of
        all of them now."""
        if not guard.may_continue(message.text):
            return False
        cleanings = guard.found_late(message, await self._earlier.before_message(message), self._lets_pass)
        if cleanings:
            await self._earlier.clean(cleanings)
        return bool(cleanings)

    async def _guarded(
        self, incoming: Incoming, before: guard.Before, files: Mapping[str, FoundInFile]
    ) -> ClearedIncoming:
        if len(incoming.text) + len(incoming.context.raw) < LONG:
            return guard.incoming(incoming, before, self._lets_pass, files)
        return await asyncio.to_thread(guard.incoming, incoming, before, self._lets_pass, files)


async def clear_alone(incoming: Incoming) -> ClearedIncoming:
    """Without knowing of any message before."""
    return guard.incoming(incoming)
