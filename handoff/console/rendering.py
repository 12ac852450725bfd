"""Templates, and how the desk's values read in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from bot.domain.decision import Turn
from bot.domain.message import Message, MessageFormat
from bot.domain.staff import Agent, may
from bot.pipeline.rendering import plain
from bot.web.assets import Assets
from bot.web.markdown import to_html
from handoff.console.assets import COMPONENTS, loaded
from handoff.desk import MAX_REASON, UNDO

FOLD_AT = 2_000
"""Characters of a message that are shown at once."""
PREVIEW = 160
BRIEF = 500
AT_DESK = timedelta(minutes=15)
"""An agent who did something within this time is at the desk."""

_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def markdown(text: str) -> Markup:
    """The bot's Markdown as HTML that can do nothing but read well."""
    return Markup(to_html(text))  # noqa: S704 (sanitized)


def fold(text: str) -> tuple[str, str]:
    """What is shown of a long text, and the rest, cut at a blank where one is near."""
    if len(text) <= FOLD_AT:
        return text, ""
    cut = max(text.rfind(" ", FOLD_AT - 100, FOLD_AT), text.rfind("\n", FOLD_AT - 100, FOLD_AT)) + 1 or FOLD_AT
    return text[:cut], text[cut:]


def preview(message: Message) -> str:
    """One line of a message, for a list."""
    text = plain(message.text) if message.format is MessageFormat.MARKDOWN else message.text[: 4 * PREVIEW]
    line = " ".join(text.split())
    if not line and message.attachments:
        line = ", ".join(attachment.kind for attachment in message.attachments)
    return line if len(line) <= PREVIEW else line[:PREVIEW].rstrip() + "…"


def brief(message: Message) -> str:
    """A message in a history that is only looked into."""
    text = plain(message.text) if message.format is MessageFormat.MARKDOWN else message.text
    files = "".join(f"[{attachment.name or attachment.kind}]" for attachment in message.attachments)
    text = "\n".join(filter(None, [text.strip(), files]))
    return text if len(text) <= BRIEF else text[:BRIEF].rstrip() + "…"


def verdict(turn: Turn) -> str:
    """What the bot made of a message, in one line: ``answered fee_explained · 97 %``."""
    words = {"answer": "answered", "ask_back": "asked back", "escalate": "escalated"}[turn.action or "answer"]
    best = next((ranked for ranked in turn.ranking if ranked.name == turn.topic), turn.ranking[0])
    return f"{words} {best.name} · {percent(best.confidence)}"


def percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def file_size(size: int) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size = size // 1000
    return f"{size} GB"


def seconds(duration: float) -> str:
    """A delay as operators speak of it: 0.4 s, 12 s, 5 min."""
    if duration < 10:
        return f"{duration:.1f} s"
    return f"{duration:.0f} s" if duration < 120 else f"{duration / 60:.0f} min"


def ago(moment: datetime) -> str:
    minutes = int((datetime.now(UTC) - moment).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 60 // 24} d ago"


def at_desk(agent: Agent) -> bool:
    return agent.seen_at is not None and datetime.now(UTC) - agent.seen_at < AT_DESK


def display_name(name: str, otherwise: str = "Visitor") -> str:
    """Without the marks that would turn letters around: nobody looks like somebody else."""
    return _DIRECTIONS.sub("", name).strip() or otherwise


def initial(name: str) -> str:
    return next((letter.upper() for letter in name if letter.isalnum()), "?")


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc(moment: datetime) -> str:
    """Without JavaScript; with it, times are the reader's own."""
    return moment.astimezone(UTC).strftime("%d %b, %H:%M UTC")


class Pages:
    """Renders the console's templates, which are named ``<part>/<file>``: of the components, and of each page in
    ``folders``. Each page loads the styles and scripts of the components, and its own."""

    def __init__(self, brand: str, assets: Assets, folders: Mapping[str, Path]) -> None:
        self._assets = assets
        parts = {"components": COMPONENTS, **folders}
        self._environment = Environment(
            loader=PrefixLoader({part: FileSystemLoader(folder / "templates") for part, folder in parts.items()}),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "brand": brand,
            "verdict": verdict,
            "fold": fold,
            "may": may,
            "undo_within": round(UNDO.total_seconds()),
            "most_reason": MAX_REASON,
            "new_submission": lambda: str(uuid4()),
            "at_desk": at_desk,
        }
        self._environment.filters |= {
            "markdown": markdown,
            "preview": preview,
            "brief": brief,
            "seconds": seconds,
            "ago": ago,
            "percent": percent,
            "file_size": file_size,
            "display_name": display_name,
            "initial": initial,
            "iso": iso,
            "utc": utc,
        }

    def response(
        self, request: Request, template: str, *, status: int = 200, agent: Agent | None = None, **values: object
    ) -> HTMLResponse:
        root = str(request.scope["root_path"])
        part = template.partition("/")[0]
        body = self._environment.get_template(template).render(
            root=root,
            agent=agent,
            asset=lambda path: f"{root}/{self._assets.address(path)}",
            styles=self._loaded(root, part, ".css"),
            scripts=self._loaded(root, part, ".js"),
            **values,
        )
        return HTMLResponse(body, status)

    def _loaded(self, root: str, part: str, ending: str) -> list[str]:
        parts = dict.fromkeys(("components", part))
        return [f"{root}/{address}" for one in parts for address in loaded(self._assets, one, ending)]
