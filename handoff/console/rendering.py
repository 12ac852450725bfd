"""Templates, and how the desk's values read in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from bot.domain.channel import Capabilities
from bot.domain.characters import shows
from bot.domain.conversation import Priority
from bot.domain.lifecycle import UNTIL_WRITTEN
from bot.domain.message import Attachment, Message
from bot.domain.secret import LABEL, SecretKind
from bot.domain.staff import Agent, Role, may
from bot.ports import Words
from bot.web.assets import Assets
from bot.web.markdown import to_html
from handoff.console.assets import COMPONENTS, loaded
from handoff.console.speech import Speech
from handoff.desk import MAX_NAME, MAX_REASON, UNDO
from handoff.snoozing import Snooze

Titles = Callable[[str], Mapping[str, str]]
"""What each topic is called in a locale."""

FOLD_AT = 2_000
"""Characters of a message that are shown at once."""
AT_DESK = timedelta(minutes=15)
"""An agent who did something within this time is at the desk."""


def markdown(text: str) -> Markup:
    """The bot's Markdown as HTML that can do nothing but read well."""
    return Markup(to_html(text))  # noqa: S704 (sanitized)


def fold(text: str) -> tuple[str, str]:
    """What is shown of a long text, and the rest, cut at a blank where one is near."""
    if len(text) <= FOLD_AT:
        return text, ""
    cut = max(text.rfind(" ", FOLD_AT - 100, FOLD_AT), text.rfind("\n", FOLD_AT - 100, FOLD_AT)) + 1 or FOLD_AT
    cut = next((label.start() for label in LABEL.finditer(text) if label.start() < cut < label.end()), cut)
    return text[:cut], text[cut:]


def gone(message: Message, attachment: Attachment) -> bool:
    """Whether what a version of a message had attached is not attached any more."""
    return not any(
        (one.kind, one.reference) == (attachment.kind, attachment.reference)
        or (one.sha256 and one.sha256 == attachment.sha256)
        for one in message.attachments
    )


def lost_files(message: Message) -> bool:
    """Whether an edit took something away that was attached."""
    return any(gone(message, one) for version in message.versions for one in version.attachments or ())


def at_desk(agent: Agent) -> bool:
    return agent.seen_at is not None and datetime.now(UTC) - agent.seen_at < AT_DESK


def initial(name: str) -> str:
    return next((letter.upper() for letter in name if letter.isalnum()), "?")


def upper_first(text: str) -> str:
    """With a capital at its beginning, where the script has some."""
    return text[:1].upper() + text[1:]


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Pages:
    """Renders the console's templates, which are named ``<part>/<file>``: of the components, and of each page in
    ``folders``. Each page loads the styles and scripts of the components, and its own. Every language has an
    environment of its own, so that macros know it without being told."""

    def __init__(
        self,
        words: Words,
        brand: str,
        assets: Assets,
        folders: Mapping[str, Path],
        capabilities: Mapping[str, Capabilities] = MappingProxyType({}),
        titles: Titles = lambda _: {},
    ) -> None:
        """``capabilities`` of the channels say what each is called, ``titles`` what the topics are called in a
        locale."""
        self.words = words
        self._assets = assets
        parts = {"components": COMPONENTS, **folders}
        base = Environment(
            loader=PrefixLoader({part: FileSystemLoader(folder / "templates") for part, folder in parts.items()}),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        base.globals |= {
            "brand": brand,
            "fold": fold,
            "shows": shows,
            "gone": gone,
            "lost_files": lost_files,
            "may": may,
            "undo_within": round(UNDO.total_seconds()),
            "most_reason": MAX_REASON,
            "most_name": MAX_NAME,
            "new_submission": lambda: str(uuid4()),
            "at_desk": at_desk,
            "until_written": UNTIL_WRITTEN,
            "snoozes": [one.value for one in Snooze if one is not Snooze.AT],
            "priorities": [one.label for one in Priority],
            "languages": {locale: words.name(locale) for locale in words.locales},
            "channels": sorted(capabilities),
            "secret_kinds": [kind.value for kind in SecretKind],
            "roles": [role.value for role in Role],
        }
        base.filters |= {"markdown": markdown, "initial": initial, "iso": iso, "upper_first": upper_first}
        self._speech = {locale: Speech(words, locale, capabilities, titles(locale)) for locale in words.locales}
        self._environments = {locale: _in_language(base, speech) for locale, speech in self._speech.items()}

    def speech(self, request: Request, agent: Agent | None) -> Speech:
        """In the language of the agent, else of the browser."""
        chosen = agent.locale if agent is not None else None
        return self._speech[self.words.match(chosen) or self._proposed(request)]

    def _proposed(self, request: Request) -> str:
        return self.words.accepted(request.headers.get("accept-language", ""))

    def response(
        self, request: Request, template: str, *, status: int = 200, agent: Agent | None = None, **values: object
    ) -> HTMLResponse:
        root = str(request.scope["root_path"])
        part = template.partition("/")[0]
        locale = self.speech(request, agent).locale
        body = (
            self._environments[locale]
            .get_template(template)
            .render(
                root=root,
                agent=agent,
                asset=lambda path: f"{root}/{self._assets.address(path)}",
                styles=self._loaded(root, part, ".css"),
                scripts=self._loaded(root, part, ".js"),
                **values,
            )
        )
        return HTMLResponse(body, status)

    def _loaded(self, root: str, part: str, ending: str) -> list[str]:
        parts = dict.fromkeys(("components", part))
        return [f"{root}/{address}" for one in parts for address in loaded(self._assets, one, ending)]


def _in_language(base: Environment, speech: Speech) -> Environment:
    environment = base.overlay()
    environment.globals = {**base.globals, **speech.globals}
    environment.filters = {**base.filters, **speech.filters}
    return environment
