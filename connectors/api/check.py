"""What ``switchboard doctor`` looks at: has each app its secret, and is somebody there where the desk writes to?"""

from __future__ import annotations

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
        return [await _app(name, settings, access, Sending(out)) for name in settings.apps]
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
