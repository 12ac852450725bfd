"""What customers bring is searched for secrets before anything else sees it, and once more in its turn.

A phrase may be spread over several messages. Where a message may be a part of one, those before it are read first; and
because two replicas may take two parts in the same moment, neither of which sees the other, the turn looks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from bot import guard
from bot.domain.message import ClearedIncoming, Incoming, Message
from bot.domain.secret import Cleaning, FoundInFile, SecretKind

LONG = 4_000
"""Characters, with those of the messages before, from which on the search has a thread of its own: the desk goes on
meanwhile."""

Result = TypeVar("Result")


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
        before = await self._earlier.before_message(message)
        cleanings = await _searched(
            lambda: guard.found_late(message, before, self._lets_pass), _length(before) + len(message.text)
        )
        if cleanings:
            await self._earlier.clean(cleanings)
        return bool(cleanings)

    async def _guarded(
        self, incoming: Incoming, before: guard.Before, files: Mapping[str, FoundInFile]
    ) -> ClearedIncoming:
        return await _searched(
            lambda: guard.incoming(incoming, before, self._lets_pass, files),
            _length(before) + len(incoming.text) + len(incoming.context.raw),
        )


def _length(before: guard.Before) -> int:
    return sum(len(words) for _, words in before.texts)


async def _searched(search: Callable[[], Result], length: int) -> Result:
    """What the search of so many characters gives."""
    return search() if length < LONG else await asyncio.to_thread(search)


async def clear_alone(incoming: Incoming) -> ClearedIncoming:
    """Without knowing of any message before."""
    return guard.incoming(incoming)
