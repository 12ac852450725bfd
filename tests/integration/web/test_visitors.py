"""The web chat over HTTP: who a visitor is, what proves their page, and how they leave."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from connectors.web.visitors import COOKIE, FIRST, VISITOR, contact_of
from tests.support.stand_in_desk import Site, StandInDesk
from tests.support.web_chat import said


async def first_page(site: Site) -> httpx.Response:
    async with httpx.AsyncClient(base_url=site.base_url) as nobody:
        return await nobody.get("/chat")


def put(browser: httpx.AsyncClient, page: httpx.Response) -> dict[str, str]:
    """The browser keeps the page's cookies; what the page names of itself with every request."""
    browser.cookies.update(page.cookies)
    return {VISITOR: page.headers[VISITOR]}


@pytest.mark.parametrize("late", [0, 1])
async def test_two_first_pages_are_one_visitor_and_nothing_that_was_written_is_lost(
    site: Site, desk: StandInDesk, late: int
) -> None:
    """Both were asked for before either came; the ``late`` one of them comes when the other has written."""
    pages = [await first_page(site), await first_page(site)]
    async with httpx.AsyncClient(base_url=site.base_url) as browser:
        writer = put(browser, pages[1 - late])
        assert (await browser.post("/chat/messages", json=said("mine"), headers=writer)).status_code == 202
        own = contact_of(browser.cookies[COOKIE])
        other = put(browser, pages[late])
        assert contact_of(browser.cookies[COOKIE]) != own
        # The one whose cookie was replaced goes on, and gets it back; the other learns who it is.
        assert (await browser.get("/chat/messages", headers=other)).status_code == 401
        read = await browser.get("/chat/messages", headers=writer)
        assert [one["text"] for one in read.json()["messages"] if one["author"] == "customer"] == ["mine"]
        assert contact_of(browser.cookies[COOKIE]) == own
        renewed = await browser.get("/chat")
        assert renewed.headers[VISITOR] == writer[VISITOR]
        assert (await browser.post("/chat/messages", json=said("more"), headers=writer)).status_code == 202
    assert {one.sender.external_id for one in desk.received} == {own}


async def test_of_two_first_pages_nobody_wrote_on_the_one_asked_for_first_stands(site: Site) -> None:
    pages = [await first_page(site), await first_page(site)]
    async with httpx.AsyncClient(base_url=site.base_url) as browser:
        second, first = put(browser, pages[1]), put(browser, pages[0])
        assert (await browser.get("/chat/messages", headers=second)).status_code == 401
        assert (await browser.get("/chat/messages", headers=first)).status_code == 200
        assert (await browser.get("/chat")).headers[VISITOR] == first[VISITOR]
        own = contact_of(browser.cookies[COOKIE])
        put(browser, pages[1])
        assert (await browser.post(f"/chat/uploads/{uuid4()}", content=b"x", headers=first)).status_code == 201
        assert contact_of(browser.cookies[COOKIE]) == own, "files bring it back, too"


async def test_another_cookie_of_that_form_makes_nobody_another_visitor(site: Site, visitor: httpx.AsyncClient) -> None:
    own = contact_of(visitor.cookies[COOKIE])
    for value in ("1." + "A" * 43, "A" * 43, f"{'9' * 5000}.{'A' * 43}", "."):
        visitor.cookies.set(FIRST + "0" * 16, value)
        await visitor.post("/chat/messages", json=said("x"))
    assert contact_of(visitor.cookies[COOKIE]) == own


OTHER = {"Origin": "http://chat.example", "Host": "desk.internal:8080"}
"""As a page at chat.example is sent on by a proxy that changes Host, over plain HTTP."""


async def test_where_a_proxy_changes_the_host_the_own_page_is_known_by_its_mark(
    desk: StandInDesk, visitor: httpx.AsyncClient
) -> None:
    mark = (await visitor.get("/chat")).headers[VISITOR]
    with capture_logs() as lines:
        own = await visitor.post("/chat/messages", json=said("x"), headers=OTHER | {VISITOR: mark})
        foreign = await visitor.post("/chat/messages", json=said("y"), headers=OTHER | {"Accept-Language": "zh"})
        named = OTHER | {VISITOR: mark, "Sec-Fetch-Site": "cross-site"}
        told = await visitor.post("/chat/messages", json=said("z"), headers=named)
        forwarded = OTHER | {"X-Forwarded-Host": "chat.example, inner.example"}
        passed = await visitor.post("/chat/messages", json=said("w"), headers=forwarded)
    assert (own.status_code, foreign.status_code, told.status_code, passed.status_code) == (202, 403, 403, 202)
    assert (foreign.json()["error"], "无法确认" in foreign.json()["message"]) == ("foreign_page", True)
    assert [one.text for one in desk.received] == ["x", "w"]
    [line] = [line for line in lines if line["action"] == "web_other_host"]
    assert (line["origin"], line["host"]) == ("http://chat.example", "desk.internal:8080")
    assert "proxy_set_header" in line["fix"]


async def test_who_ends_the_chat_is_a_new_visitor(site: Site, desk: StandInDesk, visitor: httpx.AsyncClient) -> None:
    await visitor.post("/chat/messages", json=said("mine"))
    kept = dict(visitor.cookies)
    foreign = await visitor.post("/chat/end", headers={"Origin": "https://evil.example"})
    assert (foreign.status_code, desk.ended) == (403, [])
    assert (await visitor.post("/chat/end")).status_code == 204
    assert desk.ended == [contact_of(kept[COOKIE])]
    assert not visitor.cookies
    assert (await visitor.get("/chat/messages")).status_code == 401
    async with httpx.AsyncClient(base_url=site.base_url, cookies=kept) as thief:
        assert (await thief.get("/chat/messages")).json()["messages"] == []
    await visitor.get("/chat")
    assert visitor.cookies[COOKIE] != kept[COOKIE]


async def test_the_language_that_a_visitor_chooses_is_told_to_the_desk(
    desk: StandInDesk, visitor: httpx.AsyncClient
) -> None:
    assert (await visitor.post("/chat/language", json={"language": "zh-CN"})).status_code == 204
    assert desk.spoken == {contact_of(visitor.cookies[COOKIE]): "zh"}
    for body in ({"language": "xx"}, {"language": ""}, {"language": 5}, {}, []):
        assert (await visitor.post("/chat/language", json=body)).status_code == 422
    foreign = await visitor.post("/chat/language", json={"language": "en"}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert set(desk.spoken.values()) == {"zh"}
