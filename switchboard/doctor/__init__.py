"""``switchboard doctor``: what of a deployment is well, what is not, and the fix in plain words.

Every check is independent of the others, has a time of its own, and changes nothing. ``switchboard.cli.doctor`` puts
them together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.domain.findings import Finding, Level


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    run: Callable[[], Awaitable[Sequence[Finding]]]
    timeout: float
    """Seconds."""
    late: str = "try again; if it happens again, look at the log of what was asked"
    """The fix where it did not end in time."""


async def examine(checks: Iterable[Check], secrets: Iterable[str] = ()) -> AsyncIterator[list[Finding]]:
    """Runs all at once, and yields what each found, in their order and as soon as that is known. Whatever a finding
    quotes, no one of the ``secrets`` is in it."""
    hidden = sorted((secret for secret in secrets if secret), key=len, reverse=True)
    tasks = [asyncio.create_task(_examined(check)) for check in checks]
    try:
        for task in tasks:
            yield [_blotted(finding, hidden) for finding in await task]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _examined(check: Check) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(check.timeout):
            return await check.run()
    except TimeoutError:
        return [Finding(check.name, Level.WRONG, f"no answer within {check.timeout:g} s", check.late)]
    except Exception as error:
        # Only the kind: nobody has read what this one says.
        return [
            Finding(
                check.name,
                Level.WRONG,
                f"the check itself failed ({type(error).__name__})",
                "please report it; the other checks hold all the same",
            )
        ]


def _blotted(finding: Finding, secrets: Sequence[str]) -> Finding:
    words, fix = finding.words, finding.fix
    for secret in secrets:
        words, fix = words.replace(secret, "•••"), fix.replace(secret, "•••")
    return replace(finding, words=words, fix=fix)
