"""What ``switchboard doctor`` looks at: has each app its secret, and is somebody there where the desk writes to?"""

from __future__ import annotations

import asyncio

from bot.domain.channel import PermanentError, TemporaryError
from bot.domain.findings import Finding, Level
from bot.ports import Access
from bot.web.egress import Egress
from connectors.api.sending import App, Sending
from connectors.api.settings import CHANNEL, ApiSettings, variable
from connectors.api.signing import BadSecret, Keys


async def examine(settings: ApiSettings, access: Access) -> list[Finding]:
    out = Egress(access.egress)
    try:
        sending = Sending(out)
        # Beside one another: those that hang must not use up the time of the others.
        answers = await asyncio.gather(*(_app(name, settings, access, sending) for name in settings.apps))
        return [*answers, *_unknown_channels(settings, access)]
    finally:
        await out.close()


async def _app(name: str, settings: ApiSettings, access: Access, sending: Sending) -> Finding:
    about, app = f"{CHANNEL} {name}", settings.apps[name]
    try:
        keys = Keys(name, access.secrets)
    except BadSecret as error:
        return Finding(about, Level.WRONG, "its secret is none", str(error))
    if not keys:
        fix = f"set {variable(name)}; `switchboard api new-secret` makes one"
        return Finding(about, Level.WRONG, "it has no secret, and is off", fix)
    if app.webhook_url is None:
        return Finding(about, Level.OK, "it only gives notices")
    try:
        await sending.ping(App(name, app, keys))
    except (TemporaryError, PermanentError) as error:
        fix = f"start the app, and check channels.api.apps.{name}.webhook_url and that both have the same secret"
        return Finding(about, Level.WRONG, str(error), fix)
    return Finding(about, Level.OK, "it answers")


def _unknown_channels(settings: ApiSettings, access: Access) -> list[Finding]:
    """Of a misspelt channel nobody learns before a notice to it is refused."""
    return [
        Finding(
            f"{CHANNEL} {name}",
            Level.WRONG,
            f"it may write to {channel}, which is no channel",
            f"name one of {', '.join(sorted(access.channels))} in channels.api.apps.{name}.may_write_to",
        )
        for name, app in settings.apps.items()
        for channel in app.may_write_to
        if channel not in access.channels
    ]
