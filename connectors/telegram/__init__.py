"""Telegram: private chats with one bot, by long polling or by webhook.

Nothing is acknowledged to Telegram before the desk has committed it. python-telegram-bot's own updater
confirms updates when it fetches them, so only its transport, types and errors are used here: the offset moves
past an update once ``receive`` has returned for it, and a webhook is answered 200 only then.

No offset is stored. Telegram keeps what was not confirmed and brings it again; what was committed but not yet
confirmed is a duplicate, which the store refuses by ``Incoming.external_id``.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from typing import NoReturn

import structlog
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect
from structlog.typing import FilteringBoundLogger
from telegram.error import BadRequest, Conflict, InvalidToken, RetryAfter, TelegramError

from bot.background import BackgroundTasks
from bot.domain.channel import Capabilities, Outgoing, PermanentError
from bot.domain.message import Attachment, Command
from bot.domain.said import Fault, fault
from bot.ports import ConnectorContext, Health, NullHealth, Plugin, Receive, Words
from connectors.backoff import Backoff
from connectors.telegram import messages, places, webhooks
from connectors.telegram.api import FIRST_PAUSE, LONGEST_PAUSE, REFUSED, Api, refuses_token, seconds
from connectors.telegram.check import examine
from connectors.telegram.markdown import render_markdown
from connectors.telegram.request import UNREADABLE, parsed
from connectors.telegram.settings import WEBHOOK_PATH, TelegramSettings
from connectors.telegram.updates import CHANNEL, MalformedUpdate, read_update, update_id_of

__all__ = ["MalformedUpdate", "TelegramConnector", "TelegramSettings", "plugin", "read_update", "render_markdown"]

log: FilteringBoundLogger = structlog.get_logger(__name__)

WEBHOOK_HEADER = "X-Telegram-Bot-Api-Secret-Token"

_ALLOWED_UPDATES = ["message", "edited_message", "callback_query", "my_chat_member", "message_reaction"]
_MAX_BODY = 1_000_000
"""Bytes of one webhook call. Telegram's own updates stay far below."""
_LAST_WORD = 3.0
"""Seconds that a shutdown waits for Telegram to take the final confirmation."""
_TOO_SOON = 0.2
WATCH = 60.0
"""Seconds between two looks whether the webhook is still the desk's own."""
_FORGET_AFTER = 3600.0
"""Seconds without an update after which the offset is forgotten."""


class TelegramConnector:
    """One bot. What goes to customers works without ``run``: a replica that does not poll delivers all the same."""

    name = CHANNEL
    capabilities = Capabilities(
        buttons=True,
        markdown=True,
        typing=True,
        edits=True,
        attachments=True,
        quotes=True,
        pictures_as_files=True,
        idempotent=False,
        exclusive=True,  # a second poller of the same bot ends the first one's fetch
        max_length=4096,
        max_file=messages.MAX_FILE,
        title="Telegram",
        icon="M20.5 4.5L3.5 11l5 2.2m12-8.7L17.5 19.5l-9-6.3m12-8.7l-12 8.7V19l3-3.7",
        signed_in=True,
    )

    def __init__(
        self,
        settings: TelegramSettings,
        token: str,
        health: Health | None = None,
        *,
        words: Words,
        egress: Sequence[str] = (),
    ) -> None:
        """Makes no call. A token that cannot be one is refused by ``run``."""
        self.settings = settings
        self._token = token.strip()
        self.account = self._token.partition(":")[0]
        self._health = health or NullHealth()
        self._words = words
        self._api = Api(settings, self._token, egress)
        self._tasks = BackgroundTasks()
        self._refusals = webhooks.Refusals()

    async def run(self, receive: Receive) -> None:
        """Brings messages until cancelled; then tells Telegram what has been committed.

        Raises ``PermanentError`` if Telegram refuses the token or the webhook's address.
        """
        self._health.connecting()
        if not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]+", self._token):
            raise PermanentError(REFUSED)
        await self._insist("getMe")
        self._tasks.run(self._announce_commands())
        if self.settings.mode == "webhook":
            await self._set_webhook()
            log.info("telegram connected", action="telegram_started", account=self.account, mode=self.settings.mode)
            while True:  # what comes now comes through ``routes``
                await asyncio.sleep(WATCH)
                url = await webhooks.address_of(self._api)
                if url is not None and url != self.settings.webhook_url:
                    await self._set_webhook()
                    self._tell(webhooks.changed(url))
        else:
            await self._insist("deleteWebhook")  # keeps what is pending
            log.info("telegram connected", action="telegram_started", account=self.account, mode=self.settings.mode)
            await self._poll(receive)

    async def send(self, message: Outgoing) -> str:
        return await messages.send(self._api, message)

    async def edit(self, message: Outgoing, external_id: str) -> None:
        await messages.edit(self._api, message, external_id)

    async def delete(self, chat_id: str, external_id: str) -> None:
        await messages.delete(self._api, chat_id, external_id)

    async def erase(self, chat_id: str, external_id: str) -> None:
        await messages.delete(self._api, chat_id, external_id)  # of private chats, for two days

    async def fetch(self, attachment: Attachment, chat_id: str, external_id: str, limit: int) -> bytes:  # noqa: ARG002
        return await messages.fetch(self._api, attachment, limit)

    async def typing(self, chat_id: str, thread: str = "") -> None:
        try:
            await self._api.call("sendChatAction", **places.parameters(int(chat_id), thread), action="typing")
        except (TelegramError, ValueError) as error:
            log.debug("typing not shown", action="telegram_typing_failed", error=type(error).__name__)

    def routes(self, receive: Receive) -> APIRouter:
        """The webhook, to be served by every replica; nothing in mode ``polling``."""
        router = APIRouter()

        async def webhook(request: Request) -> Response:
            return Response(status_code=await self._delivered(request, receive))

        if self.settings.mode == "webhook":
            router.add_api_route(WEBHOOK_PATH, webhook, methods=["POST"], include_in_schema=False)
        return router

    async def close(self) -> None:
        """Closes the connections. Nothing can be sent afterwards."""
        await self._tasks.close()
        await self._api.close()

    # --- polling

    async def _poll(self, receive: Receive) -> NoReturn:
        offset: int | None = None
        heard = time.monotonic()
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        wait = self.settings.poll_timeout
        try:
            while True:
                asked = time.monotonic()
                try:
                    updates = await self._fetch(offset, wait=wait)
                except TelegramError as error:
                    if isinstance(error, Conflict) and (done := await webhooks.take_away(self._api)) is not None:
                        self._tell(done)
                        await backoff.pause()
                        continue
                    await self._wait_out("getUpdates", error, backoff)
                    # Whether it works again shows at once; beside another poller only a whole fetch shows it.
                    wait = self.settings.poll_timeout if isinstance(error, Conflict) else 0
                    continue
                self._health.connected(self.account)
                waited, wait = wait, self.settings.poll_timeout
                if not updates:
                    if not waited:
                        continue
                    if time.monotonic() - asked < _TOO_SOON:
                        await asyncio.sleep(_TOO_SOON)  # this server does not wait for news, so we do
                    # Everything below the offset is confirmed. Keeping it for long would be dangerous: after a
                    # quiet week Telegram goes on from a random id, and would take a lower one for confirmed too.
                    if time.monotonic() - heard > _FORGET_AFTER:
                        offset = None
                    backoff.reset()
                    continue
                heard = time.monotonic()
                stuck = True
                for update in updates:
                    try:
                        await self._take(update, receive)
                    except Exception as error:
                        self._not_recorded(update, error)
                        stuck = True
                        break
                    if (taken := update_id_of(update)) is not None:
                        offset = taken + 1
                        stuck = False
                if stuck:
                    await backoff.pause()
                else:
                    backoff.reset()
        finally:
            if offset is not None:
                await self._confirm(offset)

    async def _fetch(self, offset: int | None, *, wait: int, limit: int = 100) -> list[object]:
        updates = await self._api.call(
            "getUpdates", offset=offset, timeout=wait, limit=limit, allowed_updates=_ALLOWED_UPDATES
        )
        if not isinstance(updates, list):
            raise TelegramError(UNREADABLE.words)
        return updates

    async def _confirm(self, offset: int) -> None:
        """A fetch only for its offset: what it returns stays unconfirmed, and comes again."""
        try:
            async with asyncio.timeout(_LAST_WORD):
                await self._fetch(offset, wait=0, limit=1)
        except (TelegramError, TimeoutError) as error:
            # Nothing is lost: it comes again, and is refused as a duplicate.
            log.debug("last confirmation failed", action="telegram_confirm_failed", error=type(error).__name__)

    async def _take(self, raw: object, receive: Receive) -> None:
        """Returns once the update needs nothing more from us; raises what ``receive`` raises."""
        try:
            incoming = read_update(raw, self.account)
        except MalformedUpdate as error:
            log.warning(
                "update malformed", action="telegram_update_malformed", update_id=update_id_of(raw), error=str(error)
            )
            self._health.trouble(
                fault(
                    "an update was skipped, since it does not have Telegram's form ({why}):"
                    " if customers miss answers, look for a newer version of the desk",
                    "telegram.fault.skipped",
                    why=str(error),
                )
            )
            return
        if incoming is None:
            log.debug("update ignored", action="telegram_update_ignored", update_id=update_id_of(raw))
            return
        await receive(incoming)
        if incoming.button is not None:
            self._tasks.run(self._answer_press(incoming.external_id.removeprefix("callback:")))

    # --- webhook

    def _secret(self) -> str:
        """Proves that a call comes from Telegram. From the token, so that every replica knows it unconfigured."""
        return hmac.new(self._token.encode(), b"switchboard telegram webhook", hashlib.sha256).hexdigest()

    async def _delivered(self, request: Request, receive: Receive) -> int:
        """The status that tells Telegram whether to bring this update again."""
        shown = request.headers.get(WEBHOOK_HEADER, "")
        if not hmac.compare_digest(shown.encode(), self._secret().encode()):
            self._refusals.tell(WEBHOOK_HEADER, given=bool(shown))
            return 403
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MAX_BODY:
                    return 413
            update = parsed(bytes(body))
        except (ClientDisconnect, ValueError):
            return 400
        try:
            await self._take(update, receive)
        except Exception as error:
            self._not_recorded(update, error)
            return 503
        return 200

    # --- background tasks: what may fail without loss

    async def _answer_press(self, query_id: str) -> None:
        """Stops the pressed button's spinner."""
        try:
            await self._api.call("answerCallbackQuery", callback_query_id=query_id)
        except TelegramError as error:  # most often: pressed too long ago
            log.debug("button press not answered", action="telegram_answer_press_failed", error=type(error).__name__)

    async def _announce_commands(self) -> None:
        """In every language of the desk, the default for everybody else's."""
        try:
            for language, locale in _languages(self._words.locales).items():
                commands = [
                    {"command": command.value, "description": self._words.say(f"telegram.command.{command}", locale)}
                    for command in Command
                ]
                await self._api.call("setMyCommands", commands=commands, language_code=language or None)
        except TelegramError as error:
            said = self._api.words(error)
            log.warning("commands not announced", action="telegram_announce_commands_failed", error=said)
            self._health.trouble(
                fault(
                    "Telegram's menu does not show the commands: {why}. A restart tries again.",
                    "telegram.fault.commands",
                    why=self._api.answer(error),
                )
            )

    # --- faults

    async def _set_webhook(self) -> None:
        await self._insist(
            "setWebhook",
            url=self.settings.webhook_url,
            secret_token=self._secret(),
            allowed_updates=_ALLOWED_UPDATES,
        )

    def _tell(self, what: Fault) -> None:
        log.warning("telegram's webhook was changed", action="telegram_webhook_changed", what=what.words)
        self._health.trouble(what)

    async def _insist(self, method: str, **parameters: object) -> None:
        """Calls until Telegram agrees; raises ``PermanentError`` where it never will."""
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            try:
                await self._api.call(method, **parameters)
            except TelegramError as error:
                if method == "setWebhook" and isinstance(error, BadRequest):
                    raise PermanentError(
                        fault(
                            "Telegram refused the webhook: {why}. Correct channels.telegram.webhook_url"
                            " (public, https, port 443, 80, 88 or 8443), or use mode: polling.",
                            "telegram.fault.webhook",
                            why=self._api.words(error),
                        )
                    ) from None
                if not (method == "deleteWebhook" and isinstance(error, InvalidToken)):
                    await self._wait_out(method, error, backoff)
                    continue
                # The token has just been accepted: this server knows no webhooks.
            self._health.connected(self.account)
            return

    async def _wait_out(self, method: str, error: TelegramError, backoff: Backoff) -> None:
        if refuses_token(error):
            raise PermanentError(REFUSED) from None
        said, fix = self._api.words(error), self._api.advice(error)
        log.warning("telegram call failed", action="telegram_call_failed", method=method, error=said, fix=fix.words)
        self._health.connecting()
        self._health.trouble(
            fault(
                "{method}: {why}. Fix: {fix}",
                "telegram.fault.call",
                method=method,
                why=self._api.answer(error),
                fix=fix,
            )
        )
        await backoff.pause(seconds(error) if isinstance(error, RetryAfter) else 0.0)

    def _not_recorded(self, update: object, error: Exception) -> None:
        # Only the kind: the text of a database error quotes what the customer wrote.
        kind = type(error).__name__
        log.error("update not recorded", action="telegram_receive_failed", update_id=update_id_of(update), error=kind)
        self._health.trouble(
            fault(
                "a message could not be recorded ({kind}); Telegram brings it again. See the log.",
                "telegram.fault.not_recorded",
                kind=kind,
            )
        )


def _languages(locales: Sequence[str]) -> dict[str, str]:
    """Locales by the language that Telegram knows them by, ``""`` for everybody else's. It takes two letters only; of
    two regions of a language the first is shown."""
    languages = {"": locales[0]}
    for locale in locales[1:]:
        language = locale.partition("-")[0].lower()
        if re.fullmatch("[a-z]{2}", language):
            languages.setdefault(language, locale)
    return languages


def _build(settings: TelegramSettings, context: ConnectorContext) -> TelegramConnector:
    access = context.access
    return TelegramConnector(settings, access.secret, context.health, words=context.words, egress=access.egress)


plugin = Plugin(
    settings=TelegramSettings,
    build=_build,
    secret_variable="TELEGRAM_BOT_TOKEN",  # noqa: S106
    check=lambda settings, access: examine(settings, access.secret),
)
