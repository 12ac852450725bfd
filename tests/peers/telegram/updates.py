"""How updates reach the bot: it fetches them, or they are posted to its webhook."""

from __future__ import annotations

import asyncio
import re
import time
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from tests.peers.telegram.forms import Json, Parameters, Refusal
from tests.peers.telegram.world import DEFAULT_UPDATES, Method, Webhook, World

_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"


class Updates:
    """Hands out what is pending, each update until the bot has confirmed it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.methods: dict[str, Method] = {
            "getme": self._get_me,
            "getupdates": self._get_updates,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
        }
        self._poller: object | None = None

    async def _get_me(self, _: Parameters) -> Json:
        return {**self.world.bot, "can_join_groups": True, "can_read_all_group_messages": False}

    async def _get_updates(self, parameters: Parameters) -> list[Json]:
        if self.world.webhook is not None:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the"
                " webhook first",
            )
        offset = parameters.integer("offset", 0)
        limit = min(max(parameters.integer("limit", 100), 1), 100)
        wait = min(max(parameters.integer("timeout", 0), 0), 50)
        self._allow(parameters)
        if offset < 0:
            self.world.pending = self.world.pending[offset:]
        self._confirm(offset)
        this = self._poller = object()  # an older poll sees that it has been replaced
        self.world.change()
        deadline = time.monotonic() + wait
        while not self.world.pending and (left := deadline - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self.world.changed.wait(), left)
            except TimeoutError:
                break
            if self._poller is not this:
                break
            self._confirm(offset)
        if self._poller is not this and self.world.webhook is not None:
            raise Refusal(409, "Conflict: terminated by setWebhook request")
        if self._poller is not this:
            raise Refusal(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )
        self._poller = None
        return self.world.pending[:limit]

    def _confirm(self, offset: int) -> None:
        """Forgets everything below the offset, what comes while a poll waits with it included."""
        self.world.pending = [update for update in self.world.pending if _id_of(update) >= offset]

    def _allow(self, parameters: Parameters) -> None:
        """Remembers which kinds of update the bot wants; later calls that do not say keep them."""
        kinds = parameters.json("allowed_updates", "allowed_updates")
        if kinds is None:
            return
        if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
            raise Refusal(400, "Bad Request: can't parse allowed_updates JSON object")
        self.world.allowed = frozenset(kinds) or DEFAULT_UPDATES

    async def _set_webhook(self, parameters: Parameters) -> bool:
        url = parameters.text("url")
        if not url:
            return await self._delete_webhook(parameters)
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")):
            raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        secret = parameters.text("secret_token") or None
        if secret is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
            raise Refusal(400, "Bad Request: secret token contains unallowed characters")
        self._allow(parameters)
        self.world.webhook = Webhook(url, secret)
        self._poller = object()
        self.world.change()
        if parameters.boolean("drop_pending_updates"):
            self.world.pending.clear()
        return True

    async def _delete_webhook(self, parameters: Parameters) -> bool:
        self.world.webhook = None
        if parameters.boolean("drop_pending_updates"):
            self.world.pending.clear()
        return True

    async def _get_webhook_info(self, _: Parameters) -> Json:
        info: Json = {
            "url": self.world.webhook.url if self.world.webhook else "",
            "has_custom_certificate": False,
            "pending_update_count": len(self.world.pending),
            "allowed_updates": sorted(self.world.allowed),
        }
        if self.world.webhook and self.world.webhook.last_error:
            info["last_error_message"] = self.world.webhook.last_error
        return info

    async def deliver(self) -> None:
        """Posts pending updates to the webhook, one at a time, each until it is taken."""
        pause = 0.05
        async with ClientSession(timeout=ClientTimeout(total=10)) as session:
            while True:
                webhook = self.world.webhook
                if webhook is None or not self.world.pending:
                    await self.world.changed.wait()
                    continue
                update = self.world.pending[0]
                headers = {_SECRET_HEADER: webhook.secret} if webhook.secret else {}
                try:
                    async with session.post(webhook.url, json=update, headers=headers) as answer:
                        webhook.last_error = None if answer.ok else f"Wrong response from the webhook: {answer.status}"
                except (ClientError, TimeoutError) as error:
                    webhook.last_error = type(error).__name__
                if webhook.last_error is None:
                    self.world.pending = [waiting for waiting in self.world.pending if waiting is not update]
                    pause = 0.05
                else:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 1.0)
                self.world.change()


def _id_of(update: Json) -> int:
    """The update's id; one that a hostile test made senseless counts as never confirmed."""
    value = update["update_id"]
    return value if type(value) is int else 2**63
