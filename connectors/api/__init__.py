"""Channel by API: any platform that a deployment has joins by a signed HTTP contract.

An app brings what its customers do by POST, and is brought what they are to see by POST to its webhook
(docs/channel-api). Both ways repeat until they are answered 2xx, and both ends know by an id what came before: nothing
is lost, and nothing is there twice. Another system of the deployment may have the desk write to a customer first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog
from fastapi import APIRouter

from bot.domain.channel import Capabilities, Outgoing, PermanentError, TemporaryError
from bot.domain.said import fault
from bot.ports import ConnectorContext, Files, Health, Notices, NullHealth, Plugin, Receipts, Receive
from bot.web.egress import Egress
from connectors.api.check import examine
from connectors.api.commands import commands
from connectors.api.intake import MOST_FILE, Intake
from connectors.api.sending import AT_ONCE, App, Sending
from connectors.api.settings import CHANNEL, ApiSettings, AppSettings, variable, variables
from connectors.api.signing import BadSecret, Keys

__all__ = ["ApiConnector", "ApiSettings", "AppSettings", "plugin"]

log = structlog.get_logger(__name__)


class ApiConnector:
    """All apps. ``send``, ``edit``, ``delete`` and ``typing`` work without ``run``."""

    name = CHANNEL

    def __init__(
        self,
        settings: ApiSettings,
        secrets: Mapping[str, str],
        *,
        files: Files,
        notices: Notices,
        receipts: Receipts,
        egress: Sequence[str] = (),
        health: Health | None = None,
    ) -> None:
        """Makes no call. ``secrets`` by environment variable; an app whose secret is missing or none is off."""
        self._health = health or NullHealth()
        self._wrong: list[str] = []
        self._apps = {name: app for name, one in settings.apps.items() if (app := self._app(name, one, secrets))}
        self.accounts = frozenset(self._apps)
        self.account = next(iter(self._apps), "")
        self.capabilities = Capabilities(
            buttons=True,
            markdown=True,
            typing=True,
            edits=True,
            attachments=True,
            quotes=True,
            pictures_as_files=True,
            idempotent=True,
            named_accounts=True,
            max_length=settings.max_length,
            max_file=MOST_FILE,
            icon="M9 7l-5 5 5 5m6-10l5 5-5 5",
        )
        self._egress = Egress(egress, connections=AT_ONCE * max(1, len(self._apps)))
        self._sending = Sending(self._egress)
        self._intake = Intake(self._apps, files, notices, receipts, self._health)

    def _app(self, name: str, settings: AppSettings, secrets: Mapping[str, str]) -> App | None:
        try:
            keys = Keys(name, secrets)
        except BadSecret as error:
            self._wrong.append(str(error))
            return None
        if not keys:
            self._wrong.append(f"the app {name} is off without {variable(name)}")
            return None
        return App(name, settings, keys)

    async def run(self, receive: Receive) -> None:  # noqa: ARG002 - events come by routes
        """Waits to be cancelled: events come by ``routes``. Raises ``PermanentError`` where no app can work."""
        for wrong in self._wrong:
            log.error("an app is off", action="api_app_off", error=wrong)
            self._health.trouble(fault("{why}", "channel_api.fault.off", why=wrong))
        if not self._apps:
            raise PermanentError(
                fault("{why}", "channel_api.fault.off", why="; ".join(self._wrong) or "there is no app")
            )
        self._health.connected(", ".join(self._apps))
        await asyncio.Event().wait()

    def routes(self, receive: Receive) -> APIRouter:
        return self._intake.routes(receive)

    async def send(self, message: Outgoing) -> str:
        app, contact = self._to(message.chat_id)
        return await self._sending.message(app, contact, message)

    async def edit(self, message: Outgoing, external_id: str) -> None:
        app, contact = self._to(message.chat_id)
        await self._sending.edit(app, contact, message, external_id)

    async def delete(self, chat_id: str, external_id: str) -> None:
        app, contact = self._to(chat_id)
        await self._sending.delete(app, contact, external_id)

    async def typing(self, chat_id: str, thread: str = "") -> None:
        try:
            app, contact = self._to(chat_id)
            await self._sending.typing(app, contact, thread)
        except (TemporaryError, PermanentError) as error:
            log.debug("typing not shown", action="api_typing_failed", error=str(error))

    async def close(self) -> None:
        """Closes the connections. Nothing can be sent afterwards."""
        await self._egress.close()

    def _to(self, chat_id: str) -> tuple[App, str]:
        name, _, contact = chat_id.partition(":")
        app = self._apps.get(name)
        if app is None or not contact:
            raise PermanentError(fault("There is no app {app} any more.", "channel_api.fault.no_app", app=name[:40]))
        return app, contact


def _build(settings: ApiSettings, context: ConnectorContext) -> ApiConnector:
    return ApiConnector(
        settings,
        context.access.secrets,
        files=context.files,
        notices=context.notices,
        receipts=context.receipts,
        egress=context.access.egress,
        health=context.health,
    )


plugin = Plugin(settings=ApiSettings, build=_build, secret_variables=variables, commands=commands, check=examine)
