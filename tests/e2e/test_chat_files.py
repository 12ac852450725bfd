"""Files on the chat page in a browser: chosen, pasted and dropped, looked at before, cut off, taken back, sent."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from bot.domain.uploads import UploadsFull
from bot.web.pictures import pixels
from connectors.web import WebSettings
from tests.support.pictures import png
from tests.support.stand_in_desk import Site, StandInDesk, message

Open = Callable[..., AbstractAsyncContextManager[Page]]
HAND_OVER = """([type, name, mime, content]) => {
    const data = new DataTransfer();
    const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
    data.items.add(new File([bytes], name, {type: mime}));
    const options = {bubbles: true, cancelable: true};
    document.querySelector("textarea").dispatchEvent(type === "paste"
        ? new ClipboardEvent("paste", {...options, clipboardData: data})
        : new DragEvent(type, {...options, dataTransfer: data}));
}"""
ENCODE = """async (type) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [300, 200];
    canvas.getContext("2d").fillRect(0, 0, 100, 100);
    const bytes = await new Promise((done) => canvas.toBlob(async (blob) => done(await blob.arrayBuffer()), type));
    return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}"""


PICTURE = png(300, 200)


def upload(name: str, content: bytes = PICTURE, mime: str = "image/png") -> dict[str, Any]:
    return {"name": name, "mimeType": mime, "buffer": content}


@pytest.fixture
def desk() -> StandInDesk:
    return StandInDesk(answer=lambda incoming: [message("thank you")])


@pytest.fixture
async def opened(chromium: Browser, desk: StandInDesk) -> AsyncIterator[Open]:
    """The page, in a browser of its own."""
    errors: list[str] = []

    @asynccontextmanager
    async def open_page(settings: WebSettings | None = None, **options: Any) -> AsyncIterator[Page]:
        context = await chromium.new_context(**{"locale": "en-GB", **options})
        async with Site(desk, settings=settings).serving() as site:
            page = await context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda line: errors.append(line.text) if "Security Policy" in line.text else None)
            await page.goto(f"{site.base_url}/chat")
            yield page
            await context.close()

    yield open_page
    assert errors == []


def chips(page: Page) -> Locator:
    return page.get_by_role("list", name="Files to send").get_by_role("listitem")


async def choose(page: Page, *files: dict[str, Any]) -> None:
    await page.locator("input.picker").set_input_files(list(files))


async def names(desk: StandInDesk) -> list[list[str]]:
    return [[one.name for one in incoming.attachments] for incoming in desk.received]


async def test_files_are_chosen_pasted_dropped_looked_at_and_sent(opened: Open, desk: StandInDesk) -> None:
    async with opened(WebSettings(max_file_mb=1)) as page:
        await expect(page.get_by_text("Up to 10 files in a message, 1 MB each.")).to_be_visible()
        button = page.get_by_role("button", name="Add files: at most 10 at once, 1 MB each")
        async with page.expect_file_chooser() as choosing:
            await button.press("Enter")
        assert (await choosing.value).is_multiple()
        send = page.get_by_role("button", name="Send")
        await expect(send).to_be_disabled()
        await choose(page, upload("<b>one.png"), upload("large.mov", bytes(1_100_000)), upload("none.txt", b""))
        await expect(page.get_by_role("alert")).to_have_text(
            "large.mov has 1.1 MB: at most 1 MB can be sent. none.txt is empty."
        )
        await expect(chips(page)).to_have_count(1)
        assert await page.get_by_role("img", name="Preview of <b>one.png").evaluate("one => one.width") == 300
        shot = base64.b64encode(PICTURE).decode()
        await page.evaluate(HAND_OVER, ["paste", "image.png", "image/png", shot])
        await page.evaluate(HAND_OVER, ["dragover", "bill.pdf", "application/pdf", ""])
        await expect(page.get_by_text("Drop files here")).to_be_visible()
        await page.evaluate(HAND_OVER, ["drop", "bill.pdf", "application/pdf", base64.b64encode(b"%PDF-1.7").decode()])
        await expect(page.get_by_text("Drop files here")).to_be_hidden()
        await expect(chips(page).locator(".name")).to_have_text(["<b>one.png", "Pasted picture.png", "bill.pdf"])
        await expect(chips(page).get_by_text("Ready to send")).to_have_count(3)
        # By the keyboard alone; what is removed goes nowhere.
        await page.get_by_role("button", name="Remove Pasted picture.png").press("Enter")
        await expect(page.get_by_role("button", name="Remove bill.pdf")).to_be_focused()

        # What is uploaded is kept over a reload, and a message may be all files.
        await page.reload()
        await expect(chips(page).locator(".name")).to_have_text(["<b>one.png", "bill.pdf"])
        await send.click()
        picture = page.get_by_role("img", name="<b>one.png", exact=True)
        await expect(picture).to_have_js_property("naturalWidth", 300)
        await expect(page.get_by_role("link", name="bill.pdf")).to_be_visible()
        await expect(chips(page)).to_have_count(0)
        await expect(page.get_by_text("thank you")).to_be_visible()
        [incoming] = desk.received
        assert [(one.kind, one.name) for one in incoming.attachments] == [
            ("photo", "<b>one.png"),
            ("file", "bill.pdf"),
        ]
        # On another tab, too.
        other = await page.context.new_page()
        await other.goto(page.url)
        await expect(other.get_by_role("img", name="<b>one.png")).to_have_js_property("naturalWidth", 300)
        await expect(chips(other)).to_have_count(0)


async def test_a_message_waits_for_its_files_and_a_cut_line_costs_nothing(opened: Open, desk: StandInDesk) -> None:
    brought: list[str] = []

    async def cut(route: Route) -> None:
        brought.append(route.request.url.rpartition("/")[2])
        if len(brought) == 1:
            await route.abort("connectionreset")  # before the desk has it
        elif len(brought) == 2:
            await route.fetch()  # behind it: only the answer is lost
            await route.abort("connectionreset")
        else:
            await route.continue_()

    async with opened() as page:
        await page.route("**/chat/uploads/*", cut)
        await choose(page, upload("one.png"))
        await page.get_by_role("textbox").fill("look")
        await page.get_by_role("textbox").press("Enter")
        await expect(page.get_by_text("Your message goes out as soon as the files are uploaded.")).to_be_visible()
        await expect(page.get_by_text("Connection lost. Trying again…")).to_be_visible()
        while len(brought) < 3:
            await page.evaluate("dispatchEvent(new Event('online'))")  # which hurries a pause
            await asyncio.sleep(0.05)
        await expect(page.get_by_text("thank you")).to_be_visible()
        assert (len(brought), len(set(brought)), len(desk.uploads)) == (3, 1, 1)
        assert [(incoming.text, len(incoming.attachments)) for incoming in desk.received] == [("look", 1)]


async def test_an_upload_shows_how_far_it_is_is_cancelled_and_tried_again(opened: Open, desk: StandInDesk) -> None:
    async with opened() as page:
        line = await page.context.new_cdp_session(page)
        await line.send("Network.enable")

        async def as_fast_as(bytes_a_second: int) -> None:
            conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
            await line.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": bytes_a_second})

        await as_fast_as(100_000)
        await choose(page, upload("film.mp4", bytes(1_000_000)), upload("two.png"))
        bar = page.get_by_role("progressbar", name="Upload of film.mp4")
        await expect(bar).to_be_visible()
        async with asyncio.timeout(20):
            while not 1 < float(await bar.evaluate("bar => bar.value")) < 99:
                await asyncio.sleep(0.05)
        await expect(chips(page).first).to_contain_text(re.compile(r"1 MB · [1-9]\d?%"))
        await expect(chips(page).last).to_contain_text("Waiting…")
        await page.get_by_role("button", name="Remove film.mp4").click()
        await as_fast_as(-1)
        await expect(chips(page)).to_have_count(1)
        await expect(chips(page)).to_contain_text("Ready to send")
        assert [one.name for one in desk.uploads.values()] == ["two.png"]
        await page.route("**/chat/uploads/*", lambda route: route.fulfill(status=413, body="the proxy's own page"))
        await choose(page, upload("four.png"))
        await expect(chips(page).last).to_contain_text("This file is too large to get through.")
        await page.get_by_role("button", name="Remove four.png").click()
        await page.unroute("**/chat/uploads/*")
        desk.full = UploadsFull(by_all=False)
        await choose(page, upload("three.png"))
        await expect(chips(page).last).to_contain_text("You have sent many files today.")
        await expect(page.get_by_role("button", name="Send")).to_be_disabled()
        desk.full = None
        await page.get_by_role("button", name="Try three.png again").click()
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_text("thank you")).to_be_visible()
        assert await names(desk) == [["two.png", "three.png"]]


async def test_what_is_not_uploaded_is_not_said_to_be_kept(opened: Open) -> None:
    async with opened() as page:
        await page.route("**/chat/uploads/*", lambda route: None)
        await choose(page, upload("one.png"))
        await expect(chips(page)).to_have_count(1)
        asked: list[str] = []

        async def leave(dialog: Any) -> None:
            asked.append(dialog.type)
            await dialog.accept()

        page.on("dialog", leave)
        await page.get_by_role("textbox").click()  # browsers ask only on pages that were used
        await page.reload()
        assert asked == ["beforeunload"]
        await expect(chips(page)).to_contain_text("Not uploaded before the page was left. Please add it again.")
        await expect(page.get_by_role("button", name="Try one.png again")).to_be_hidden()
        await page.get_by_role("button", name="Remove one.png").click()
        await expect(page.get_by_role("button", name="Add files")).to_be_focused()


async def test_what_the_desk_has_forgotten_is_asked_for_again(opened: Open, desk: StandInDesk) -> None:
    async with opened() as page:
        await choose(page, upload("one.png"))
        await expect(chips(page)).to_contain_text("Ready to send")
        desk.uploads.clear()
        await page.get_by_role("textbox").fill("look")
        await page.get_by_role("textbox").press("Enter")
        await expect(page.get_by_text("A file of this message is not here any more.")).to_be_visible()
        await page.get_by_role("button", name="Edit").click()
        await expect(page.get_by_role("textbox")).to_have_value("look")
        await expect(chips(page)).to_have_count(0)


async def test_who_becomes_another_visitor_brings_the_files_anew(opened: Open, desk: StandInDesk) -> None:
    async with opened() as page:
        await choose(page, upload("one.png"))
        await expect(chips(page)).to_contain_text("Ready to send")
        await page.context.clear_cookies()
        await choose(page, upload("two.png"))
        await expect(chips(page).get_by_text("Ready to send")).to_have_count(2)
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_text("thank you")).to_be_visible()
        assert await names(desk) == [["one.png", "two.png"]]
        assert len({contact for contact, _ in desk.uploads}) == 2


async def test_a_phone_photographs_in_chinese(opened: Open, desk: StandInDesk) -> None:
    phone = {"locale": "zh-CN", "has_touch": True, "is_mobile": True, "viewport": {"width": 360, "height": 640}}
    async with opened(WebSettings(max_files=1, max_file_mb=1), **phone) as page:
        await expect(page.get_by_text("每条消息最多 1 个文件，每个不超过 1 MB。")).to_be_visible()
        async with page.expect_file_chooser() as choosing:
            await page.get_by_role("button", name="拍照").tap()
        chooser = await choosing.value
        assert await chooser.element.get_attribute("capture") == "environment"
        await chooser.set_files(upload("照片.png"))  # type: ignore[arg-type]
        await expect(page.get_by_text("· 可以发送")).to_be_visible()
        await choose(page, upload("二.png"))
        await expect(page.get_by_role("alert")).to_have_text("每条消息最多 1 个文件，二.png 没有添加。")
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        await page.get_by_role("button", name="发送").tap()
        await expect(page.get_by_role("img", name="照片.png")).to_be_visible()
        assert await names(desk) == [["照片.png"]]
    async with opened(WebSettings(max_files=0)) as page:
        await expect(page.get_by_role("textbox")).to_be_visible()
        await expect(page.get_by_role("button", name="Add files")).to_have_count(0)


async def test_a_picture_of_a_billion_pixels_stops_nobody(opened: Open, desk: StandInDesk) -> None:
    bomb = png(20_000, 20_000)  # which Chromium would show
    assert len(bomb) < 200_000
    async with opened() as page:
        # The desk reads how large a picture is as browsers write it.
        for kind in ("image/png", "image/jpeg", "image/webp"):
            assert pixels(base64.b64decode(await page.evaluate(ENCODE, kind))) == 300 * 200
        await choose(page, upload("bomb.png", bomb))
        await expect(chips(page)).to_contain_text("Ready to send")
        await expect(chips(page).locator("canvas")).to_have_count(0)
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_text("thank you")).to_be_visible()
        # A download, for everybody.
        await expect(page.get_by_role("link", name="bomb.png")).to_be_visible()
        await expect(page.get_by_role("img", name="bomb.png")).to_have_count(0)
