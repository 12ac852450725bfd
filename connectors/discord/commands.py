"""``switchboard discord …``: what an operator does once, beside the running desk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.domain.channel import PermanentError
from bot.ports import LoadChannel
from connectors.discord.api import Api, explain
from connectors.discord.interactions import MAX_LABEL, support_button
from connectors.discord.settings import DiscordSettings

MAX_TEXT = 2000


def commands(load: LoadChannel) -> typer.Typer:
    app = typer.Typer(help="The Discord bot.", no_args_is_help=True)

    @app.callback()
    def _() -> None:
        """Keeps the command's name where there is but one."""

    @app.command("post-button")
    def post_button(
        channel: Annotated[str, typer.Argument(help="The id of the server's channel (Copy Channel ID).")],
        text: Annotated[str | None, typer.Option(help="What the message says; Discord's Markdown.")] = None,
        label: Annotated[str | None, typer.Option(help="What the button says.")] = None,
        language: Annotated[
            str | None, typer.Option(help="Of what is not given: zh. The desk's default without.")
        ] = None,
        config: Annotated[Path | None, typer.Option(help="The configuration file.")] = None,
    ) -> None:
        """Post a message with a button that opens a private chat with the desk."""
        settings, access, words = load(config)
        locale = words.match(language)
        text = words.say("discord.post.text", locale) if text is None else text
        label = words.say("discord.post.button", locale) if label is None else label
        if not channel.isascii() or not channel.isdecimal():
            raise PermanentError(
                f"{channel} is no channel id: switch on Developer Mode in Discord's settings, and copy it from the"
                " channel's menu"
            )
        if not text.strip() or len(text) > MAX_TEXT:
            raise PermanentError(f"--text has {len(text)} characters; 1 to {MAX_TEXT} can be posted")
        if not label.strip() or len(label) > MAX_LABEL:
            raise PermanentError(f"--label has {len(label)} characters; a button shows 1 to {MAX_LABEL}")
        posted = asyncio.run(_post(settings, access.secret, channel, text, label))
        typer.echo(f"Posted message {posted} in channel {channel}. Its button works as long as the message stands.")

    return app


async def _post(settings: DiscordSettings, secret: str, channel: str, text: str, label: str) -> Any:
    api = Api(settings.api_base, secret)
    body = {"content": text, "components": support_button(label), "allowed_mentions": {"parse": []}}
    try:
        posted = await api.call("POST", "/channels/{channel_id}/messages", json=body, channel_id=channel)
        return posted["id"]
    except Exception as error:
        explain(error)
    finally:
        await api.close()
