"""What bots and websites write in a message beside its text: embeds, polls and components, as lines of text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from bot.domain.context import Link
from connectors.fields import Json, each, line, number, whole, words

MAX_DEPTH = 10
"""Of components in components; Discord nests three."""
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_FROM_LINKS = ("article", "gifv", "image", "link", "video")
"""Kinds of embeds that nobody can write."""
_STORED = "/attachments/"
"""How the path of a file begins that Discord keeps."""
_SEPARATOR = 14
_HOLDERS = frozenset({1, 9, 17, 18})
"""Rows, sections, containers, labels: they hold others."""
_KNOWN = _HOLDERS | {2, 10, 11, 12, 13}
"""With buttons, texts, thumbnails, galleries and files; menus and separators say nothing that could be missed."""


@dataclass(slots=True)
class Told:
    """What was read so far."""

    lines: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    files: list[Json] = field(default_factory=list)
    """Files that Discord keeps, in the form of its attachments."""
    unknown: list[Any] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.lines) + len(self.links) + len(self.files) + len(self.unknown)

    def say(self, *parts: str) -> None:
        self.lines += [part for part in parts if part]

    def show(self, media: Json, **more: object) -> None:
        """A picture, a film or a file. One that Discord does not keep is told by its address: fetched, it would tell a
        stranger who reads here."""
        url = words(media.get("url"))
        path = path_of(url)
        if path.startswith(_STORED):
            self.files.append({**media, "filename": unquote(path.rpartition("/")[2]), **more})
        else:
            self.say(url)


# --- embeds ---------------------------------------------------------------------------------------


def path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def is_preview(embed: Json, content: str, *, own: bool) -> bool:
    """Whether Discord made it of a link in the text: then it says what a website says, and nobody wrote it here. What
    people write themselves (``own``) has no other embeds with an address; what bots write may."""
    if embed.get("type") in _FROM_LINKS:
        return bool(content)  # also when the link was edited away
    return own and bool(embed.get("url")) and bool(_ADDRESS.search(content))


def read_embed(embed: Json, told: Told) -> None:
    if embed.get("type") == "poll_result":
        _read_result(embed, told)
        return
    before = told.count
    author, footer = whole(embed.get("author")), whole(embed.get("footer"))
    told.say(line(words(author.get("name")), words(author.get("url")), by=" "))
    told.say(words(embed.get("title")), words(embed.get("url")), words(embed.get("description")))
    for one in each(embed.get("fields")):
        told.say(line(words(one.get("name")), words(one.get("value")), by=": "))
    for name in ("image", "video", "thumbnail"):
        told.show(whole(embed.get(name)))
    told.say(words(footer.get("text")))
    if before == told.count:
        told.unknown.append(embed)


def _read_result(embed: Json, told: Told) -> None:
    """What a poll came to: its fields have names that nobody should read."""
    found = {words(one.get("name")): words(one.get("value")) for one in each(embed.get("fields"))}
    votes = line(found.get("victor_answer_votes", ""), found.get("total_votes", ""), by="/")
    won = line(found.get("victor_answer_emoji_name", ""), found.get("victor_answer_text", ""), by=" ")
    result = line(found.get("poll_question_text", ""), line(won, votes), by=" — ")
    if result:
        told.say(result)
    else:
        told.unknown.append(embed)


def poll_words(poll: Json) -> str:
    """The question with what could be answered, and the votes where they are told."""
    counts = whole(poll.get("results")).get("answer_counts")
    votes = {one.get("id"): number(one.get("count")) for one in each(counts) if isinstance(one.get("id"), int)}
    return line(
        words(whole(poll.get("question")).get("text")),
        line(*(_answer(one, votes) for one in each(poll.get("answers")))),
        by=" — ",
    )


def _answer(answer: Json, votes: dict[Any, int | None]) -> str:
    media = whole(answer.get("poll_media"))
    number_ = answer.get("answer_id")
    count = votes.get(number_) if isinstance(number_, int) else None
    said = line(words(whole(media.get("emoji")).get("name")), words(media.get("text")), by=" ")
    return line(said, f"({count})" if count else "", by=" ")


# --- components -----------------------------------------------------------------------------------


def read_components(components: object, told: Told, depth: int = 0) -> None:
    """In the order in which they are seen."""
    for one in each(components):
        _read_component(one, told, depth)


def _read_component(one: Json, told: Told, depth: int) -> None:
    kind = number(one.get("type"))
    if kind == _SEPARATOR:
        return
    before = told.count
    match kind:
        case 2:
            label = line(words(whole(one.get("emoji")).get("name")), words(one.get("label")), by=" ")
            told.say(f"[{label}]" if label else "")
            if url := words(one.get("url")):
                told.links.append(Link(label, url))
        case 3 | 5 | 6 | 7 | 8:
            told.say(
                words(one.get("placeholder")), *(words(option.get("label")) for option in each(one.get("options")))
            )
            return
        case 11:
            told.say(words(one.get("description")))
            told.show(whole(one.get("media")))
        case 12:
            for item in each(one.get("items")):
                told.say(words(item.get("description")))
                told.show(whole(item.get("media")))
        case 13:
            told.show(whole(one.get("file")), title=words(one.get("name")), size=one.get("size"))
        case _:
            # Also of a kind that is not known: what it holds may be.
            told.say(words(one.get("label")), words(one.get("content")), words(one.get("description")))
            inner = one.get("components"), [one.get("component")], [one.get("accessory")]
            for held in inner if depth < MAX_DEPTH else ():
                read_components(held, told, depth + 1)
    if kind not in _KNOWN or (kind not in _HOLDERS and told.count == before):
        told.unknown.append(one)
