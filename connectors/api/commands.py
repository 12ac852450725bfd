"""``switchboard api …``: secrets, and a look at whether an app is there."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from bot.domain.channel import PermanentError
from bot.ports import Access, LoadChannel
from bot.web.egress import Egress
from connectors.api.description import openapi
from connectors.api.sending import App, Sending
from connectors.api.settings import ApiSettings, variable
from connectors.api.signing import PREFIX, BadSecret, Keys

BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def commands(load: LoadChannel) -> typer.Typer:
    app = typer.Typer(help="The channel by API.", no_args_is_help=True)

    @app.command("new-secret")
    def make() -> None:
        """Make a secret. It is shown once, and kept nowhere."""
        typer.echo(new_secret())

    @app.command("openapi")
    def describe() -> None:
        """The contract as OpenAPI, in JSON."""
        typer.echo(json.dumps(openapi(), indent=2, ensure_ascii=False))

    @app.command("ping")
    def ping(
        name: Annotated[str, typer.Argument(help="The app, as channels.api.apps names it.")],
        config: Annotated[Path | None, typer.Option(help="The configuration file.")] = None,
    ) -> None:
        """Send an app a signed ping: is it there, and does it know the signature?"""
        settings, access, _ = load(config)
        asyncio.run(_ping(settings, access, name))
        typer.echo(f"{name} answered.")

    return app


async def _ping(settings: ApiSettings, access: Access, name: str) -> None:
    if name not in settings.apps:
        known = ", ".join(settings.apps) or "none"
        raise PermanentError(f"there is no app {name} in channels.api.apps; there are: {known}")
    try:
        keys = Keys(name, access.secrets)
    except BadSecret as error:
        raise PermanentError(str(error)) from None
    if not keys:
        raise PermanentError(f"{name} has no secret: set {variable(name)}")
    out = Egress(access.egress)
    try:
        await Sending(out).ping(App(name, settings.apps[name], keys))
    finally:
        await out.close()
