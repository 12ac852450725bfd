"""The web chat's parts that need no server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from bot.content.words import Words
from bot.domain.message import Attachment, Author, Button, Message, MessageFormat, Visibility
from bot.settings import ROOT
from bot.web.throttle import Throttle
from connectors.web import WebSettings
from connectors.web.messages import Said, events, shown
from connectors.web.page import Page
from connectors.web.visitors import COOKIE, Known, contact_of, mark_of, visitor_of, welcome
from tests.support.words import WORDS

TOKEN = "A" * 43


def request(query: str = "", scheme: str = "https", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/chat",
            "scheme": scheme,
            "server": ("desk.example", 443),
            "query_string": query.encode(),
            "headers": raw,
        }
    )


def written(text: str, author: Author = Author.BOT, format: MessageFormat = MessageFormat.MARKDOWN) -> Message:
    now = datetime.now(UTC)
    return Message(1, 1, author, Visibility.PUBLIC, text, format, now, external_id="x-1", cursor=5, revision=5)


# --- what is shown --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("**bold**\nnext", "<p><strong>bold</strong><br>\nnext</p>\n"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x](//evil.example)", "<p>[x](//evil.example)</p>\n"),
        ("[x](data:text/html,x)", "<p>[x](data:text/html,x)</p>\n"),
        (
            "[x](https://ok.example)",
            '<p><a href="https://ok.example" target="_blank" rel="noopener noreferrer nofollow">x</a></p>\n',
        ),
    ],
)
def test_the_desks_markdown_becomes_harmless_html(markdown: str, html: str) -> None:
    assert shown(written(markdown))["html"] == html


def test_pictures_are_not_loaded() -> None:
    assert "<img" not in shown(written("![x](https://evil.example/pixel.png)"))["html"]


@pytest.mark.parametrize("author", [Author.CUSTOMER, Author.AGENT])
def test_what_people_type_stays_text_whatever_its_format(author: Author) -> None:
    words = "**not bold** <b>neither</b>"
    for format in MessageFormat:
        said = shown(written(words, author, format))
        assert said["text"] == words
        assert "html" not in said


def test_only_the_visitors_own_messages_carry_an_id() -> None:
    assert shown(written("x", Author.CUSTOMER))["external_id"] == "x-1"
    assert shown(written("x", Author.AGENT))["external_id"] is None


def test_an_event_is_two_lines_whatever_the_words() -> None:
    sent = events([replace(written("a\n\ndata: b\r\nid: 9", Author.AGENT), revision=6)])
    id, data, *rest = sent.split("\n")
    assert id == "id: 6"
    assert json.loads(data.removeprefix("data: "))["text"] == "a\n\ndata: b\r\nid: 9"
    assert rest == ["", ""]


def test_only_behind_the_last_of_what_was_read_together_a_browser_may_go_on() -> None:
    """By revision as read: 7, then 6 in its second version. Who broke off between them must not miss one."""
    read = [replace(written("later"), cursor=7, revision=7), replace(written("first"), cursor=6, revision=8)]
    sent = events(read).removesuffix("\n\n").split("\n\n")
    assert ["id:" in one for one in sent] == [False, True]
    assert sent[1].startswith("id: 8\n")
    assert ["first" in one for one in sent] == [True, False], "in the order of the conversation"
    assert events([]) == ""


@pytest.mark.parametrize("author", Author)
def test_nothing_of_what_a_deleted_message_said_is_shown(author: Author) -> None:
    said = replace(
        written("secret", author),
        buttons=(Button("secret", "secret"),),
        attachments=(Attachment("file", "secret", "secret", "image/png", 1, "secret"),),
        deleted_at=datetime.now(UTC),
    )
    sent = shown(said)
    assert sent["deleted"]
    assert "secret" not in json.dumps(sent)


def test_files_are_named_and_only_those_that_are_there() -> None:
    files = (
        Attachment("file", "", "a.pdf", "application/pdf", 9, "ab"),
        Attachment("file", "", "not here yet"),
        Attachment("file", "", "b.png", "image/png", 9, "cd"),
        Attachment("file", "", "c.svg", "image/svg+xml", 9, "ef"),
    )
    listed = shown(replace(written(""), attachments=files))["files"]
    assert [(file["index"], file["name"], file["picture"]) for file in listed] == [
        (0, "a.pdf", False),
        (2, "b.png", True),
        (3, "c.svg", False),
    ]
    assert not any("ab" in str(file.values()) for file in listed), "the content's own name is no visitor's business"


# --- what is taken --------------------------------------------------------------------------------

ID = "0b0e8f4e-93d5-4b1c-8a36-1d1d4f3e2a10"


def test_what_cannot_be_stored_is_removed_or_replaced() -> None:
    assert Said.model_validate({"id": ID, "text": "a\x00b\ud800c😀 "}).text == "ab\ufffdc😀"


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"text": "no id"},
        {"id": "1", "text": "x"},
        {"id": ID, "text": 5},
        {"id": ID, "button": "human"},
        {"id": ID, "button": {"payload": "x" * 65, "label": "x"}},
        {"id": ID, "button": {"payload": "话" * 22, "label": "x"}},
        {"id": ID, "button": {"payload": "", "label": "x"}},
        {"id": ID, "button": {"payload": "human", "label": ""}},
    ],
)
def test_other_bodies_are_malformed(body: object) -> None:
    with pytest.raises(ValidationError):
        Said.model_validate(body)


# --- visitors -------------------------------------------------------------------------------------


def test_the_contact_is_not_the_token() -> None:
    contact = contact_of(TOKEN)
    assert len(contact) == 32
    assert contact not in TOKEN
    assert contact != contact_of("B" * 43)


@pytest.mark.parametrize("cookie", ["", f"{COOKIE}=short", f"{COOKIE}={'é' * 43}", f"{COOKIE}={'A' * 44}"])
async def test_a_cookie_that_the_desk_never_set_is_none(cookie: str) -> None:
    async def known(contacts: Collection[str]) -> Collection[str]:
        return contacts

    assert await visitor_of(request(cookie=cookie), known) is None


async def test_of_many_first_pages_one_look_tells_who_has_written() -> None:
    tokens = [letter * 43 for letter in "ABCDEFGH"]
    given = "; ".join(f"switchboard_first_{mark_of(token)}={at}.{token}" for at, token in enumerate(tokens))
    looked: list[list[str]] = []

    async def known(contacts: Collection[str]) -> Collection[str]:
        looked.append(list(contacts))
        return [contact_of(tokens[5]), contact_of(tokens[3])]

    visitor = await visitor_of(request(cookie=f"{COOKIE}={tokens[7]}; {given}"), known)
    assert visitor is not None
    assert (visitor.token, visitor.moved) == (tokens[3], True), "of those who have written the first"
    assert looked == [[contact_of(token) for token in tokens]]


def test_the_cookie_is_kept_from_scripts_and_other_sites() -> None:
    def given(asked: Request) -> str:
        response = Response()
        welcome(asked, response, TOKEN)
        return response.headers["set-cookie"]

    first = given(request())
    assert TOKEN in first
    assert all(part in first for part in ("HttpOnly", "SameSite=lax", "Secure", "Path=/", "Max-Age=15552000"))
    assert "Secure" not in given(request(scheme="http"))


def test_the_throttle_lets_pass_again_when_the_window_has_moved_on() -> None:
    now = 0.0
    throttle = Throttle(2, 10.0, clock=lambda: now)
    assert throttle.wait("anna") == 0
    now = 4.0
    assert throttle.wait("anna") == 0
    assert throttle.wait("anna") == 6.0
    assert throttle.wait("bert") == 0
    now = 10.0
    assert throttle.wait("anna") == 0
    assert throttle.wait("anna") == 4.0
    now = 30.0
    assert throttle.wait("carl") == 0
    assert set(throttle._taken) == {"carl"}, "who is quiet is forgotten"


def test_of_a_crowd_of_cookies_only_some_are_remembered() -> None:
    throttle = Throttle(2, 10.0, clock=lambda: 0.0, remembered=100)
    for number in range(1000):
        assert throttle.wait(f"visitor {number}") == 0
    assert len(throttle._taken) <= 101
    throttle.wait("visitor 999")
    assert throttle.wait("visitor 999") == 10.0


async def test_who_has_written_is_remembered_and_few_are_looked_for_at_once() -> None:
    looked: list[str] = []
    go_on = asyncio.Event()

    async def look(contacts: Collection[str]) -> list[str]:
        looked.extend(contacts)
        await go_on.wait()
        return [contact for contact in contacts if contact.startswith("customer")]

    known = Known(look, at_once=2, remembered=3)
    known.add("customer 0")
    asked = [asyncio.create_task(known.has(who)) for who in ("customer 1", "stranger", "customer 2", "customer 0")]
    await asyncio.sleep(0)
    assert looked == ["customer 1", "stranger"], "the others are not looked for"
    go_on.set()
    assert await asyncio.gather(*asked) == [True, False, False, True]
    assert await known.has("customer 1")
    assert await known.has("customer 2")
    assert looked == ["customer 1", "stranger", "customer 2"]
    known.forget("customer 2")
    assert await known.has("customer 2")
    assert looked[3:] == ["customer 2"], "who was forgotten is looked for"
    for number in range(10):
        known.add(f"customer {number}")
    assert list(known._lately) == ["customer 7", "customer 8", "customer 9"]


# --- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "accepted", "locale"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "fr, zh;q=0.3, en-GB;q=0.5", "en"),
        ("", "zh;q=nonsense, en", "en"),
        ("lang=zh", "en", "zh"),
        ("lang=xx", "zh", "zh"),
    ],
)
def test_the_visitor_is_met_in_their_language(query: str, accepted: str, locale: str) -> None:
    chat = Page("BitPie", WORDS, {}, 10_000, WebSettings().files)
    assert chat.locale(request(query, accept_language=accepted)) == locale


def test_a_brand_cannot_break_out_of_the_page() -> None:
    brand = '"><script>alert(1)</script>'
    words = Words(ROOT / "data", facts={"brand": brand})
    html = bytes(Page(brand, words, {}, 10_000, WebSettings().files).render("en", "v").body).decode()
    assert "<script>alert" not in html


@pytest.mark.parametrize("settings", [{"max_length": 0}, {"max_length": 10_001}, {"colour": "red"}])
def test_settings_are_strict(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WebSettings.model_validate(settings)
