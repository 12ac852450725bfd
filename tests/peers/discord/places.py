"""Who and where: the gateway, the application, users, channels, links of files."""

from __future__ import annotations

import re
import time

from tests.peers.discord.calls import Answer, Request, Routes, channel_of
from tests.peers.discord.errors import FormErrors, Json, Refusal, invalid, snowflake, unknown
from tests.peers.discord.gateway import Gateway
from tests.peers.discord.world import World


class Places:
    """Looks up, opens and refreshes; nothing here writes a message."""

    def __init__(self, world: World, gateway: Gateway) -> None:
        self.world = world
        self.gateway = gateway
        self.gateway_url = ""
        self.routes: Routes = [
            ("GET", "/gateway", self._get_gateway),
            ("GET", "/gateway/bot", self._get_gateway_bot),
            ("GET", "/users/@me", self._get_me),
            ("POST", "/users/@me/channels", self._open_dm),
            ("GET", "/users/{user_id}", self._get_user),
            ("GET", "/oauth2/applications/@me", self._get_application),
            ("GET", "/applications/@me", self._get_application),
            ("GET", "/channels/{channel_id}", self._get_channel),
            ("POST", "/channels/{channel_id}/typing", self._typing),
            ("POST", "/attachments/refresh-urls", self._refresh_urls),
        ]

    async def _get_gateway(self, _: Request) -> Answer:
        return 200, {"url": self.gateway_url}

    async def _get_gateway_bot(self, _: Request) -> Answer:
        limit = {
            "total": 1000,
            "remaining": max(self.gateway.session_starts_left, 0),
            "reset_after": 14_400_000,
            "max_concurrency": 1,
        }
        return 200, {"url": self.gateway_url, "shards": self.gateway.shards, "session_start_limit": limit}

    async def _get_me(self, _: Request) -> Answer:
        me = {"verified": True, "mfa_enabled": False, "email": None, "flags": 0, "locale": "en-US", "premium_type": 0}
        return 200, {**self.world.bot, **me}

    async def _get_user(self, request: Request) -> Answer:
        user_id = request.id("user_id")
        if user_id != self.world.bot_id and user_id not in self.world.users:
            raise unknown("User")
        return 200, self.world.profile(user_id)

    async def _get_application(self, _: Request) -> Answer:
        owner = {"id": "1", "username": "owner", "discriminator": "0", "global_name": None, "avatar": None}
        return 200, {
            "id": str(self.world.bot_id),
            "name": self.world.bot["username"],
            "icon": None,
            "description": "",
            "summary": "",
            "type": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": 0,
            "owner": {**owner, "public_flags": 0},
            "team": None,
            "rpc_origins": [],
            "redirect_uris": [],
            "interactions_endpoint_url": None,
            "role_connections_verification_url": None,
            "approximate_guild_count": 1,
            "approximate_user_install_count": 0,
            "bot": self.world.bot,
            "integration_types_config": {"0": {}},
        }

    async def _open_dm(self, request: Request) -> Answer:
        given = request.object.get("recipient_id")
        if given is None:
            invalid("recipient_id", "BASE_TYPE_REQUIRED", "This field is required")
        user = self.world.users.get(snowflake(given, "recipient_id"))
        if user is None:
            raise Refusal(400, 50033, "Invalid Recipient(s)")
        # Opening works with everybody, closed or gone: only what is then sent is refused.
        return 200, self.world.show_channel(self.world.dm(user))

    async def _get_channel(self, request: Request) -> Answer:
        return 200, self.world.show_channel(channel_of(self.world, request))

    async def _typing(self, request: Request) -> Answer:
        self.world.typings.append((channel_of(self.world, request).id, time.monotonic()))
        return 204, None

    async def _refresh_urls(self, request: Request) -> Answer:
        urls = request.object.get("attachment_urls")
        errors = FormErrors()
        if not isinstance(urls, list) or not 1 <= len(urls) <= 50:
            invalid("attachment_urls", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 50 in length.")
        refreshed: list[Json] = []
        for place, url in enumerate(urls):
            found = re.search(r"/attachments/(\d+)/(\d+)/[^/?]+", str(url))
            attachment = self.world.attachment_at(found[0]) if found else None
            if found is None:
                errors.add(f"attachment_urls.{place}", "ATTACHMENT_URL_INVALID", "Not a well formed attachment URL.")
            elif attachment is not None:
                refreshed.append({"original": url, "refreshed": self.world.link(int(found[1]), attachment)})
        errors.check()
        return 200, {"refreshed_urls": refreshed}
