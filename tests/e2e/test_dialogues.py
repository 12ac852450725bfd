"""Dialogues as (said, expected) pairs, through the real Rasa and a whole desk."""

from __future__ import annotations

import pytest

from tests.support.customers import WebCustomer, words
from tests.support.desk_process import DeskProcess

DIALOGUES: dict[str, list[tuple[str, str]]] = {
    "password, in Chinese": [
        ("忘记密码了怎么办", "忘记密码"),
        ("谢谢", ""),
    ],
    "out of scope, then again": [
        ("今天天气怎么样", "转人工|人工"),
        ("给我讲个笑话吧", "排队|队列|位"),
    ],
    "a human, in Chinese": [
        ("转人工", "排队|队列|位"),
    ],
    "a human, in English": [
        ("i want to talk to a real person please", "place in the queue"),
    ],
    "stolen funds": [
        ("我的币被盗了！钱包被清空了", "第 ?\\*{0,2}1|1"),
    ],
    "an answer that did not help": [
        ("how do i reset my password", "Forgot password"),
        ("that didn't help", "place in the queue"),
    ],
    "greeting and thanks": [
        ("hi", "BitPie"),
        ("are you a robot?", "automat"),
        ("thanks a lot", ""),
    ],
    "help": [
        ("/help", "ask me"),
        ("/start", "BitPie"),
        ("/human", "place in the queue"),
    ],
}


@pytest.mark.parametrize("name", DIALOGUES)
async def test_dialogue(desk_process: DeskProcess, name: str) -> None:
    import re

    async with WebCustomer(desk_process.url) as customer:
        for said, expected in DIALOGUES[name]:
            reply = words(await customer.asks(said))
            assert re.search(expected, reply), f"{said!r} was answered {reply!r}"


async def test_no_guess_and_topics_to_pick(desk_process: DeskProcess) -> None:
    async with WebCustomer(desk_process.url) as customer:
        reply = await customer.asks("今天天气怎么样")
        payloads = [button["payload"] for button in reply["buttons"]]
        assert payloads[-1] == "human"
        assert all(payload.startswith("topic:") for payload in payloads[:-1])
        await customer.presses(reply["buttons"][0])
        answered = await customer.hears()
        assert "helped:yes" in [button["payload"] for button in answered["buttons"]] or answered["buttons"] == []


async def test_money_that_has_not_arrived_is_asked_about_step_by_step(desk_process: DeskProcess) -> None:
    async with WebCustomer(desk_process.url) as customer:
        asked = await customer.asks("my usdt is stuck for 3 hours")
        [first, *_] = [button for button in asked["buttons"] if button["payload"].startswith("step:money")]
        await customer.presses(first)
        assert words(await customer.hears()) != words(asked)


async def test_the_place_in_the_queue_is_said_and_counts_up(desk_process: DeskProcess) -> None:
    import re

    places = []
    for _ in range(2):
        async with WebCustomer(desk_process.url) as customer:
            reply = words(await customer.asks("talk to a human"))
            places.append(int(re.search(r"place in the queue is (\d+)", reply)[1]))
    assert places[1] == places[0] + 1


@pytest.mark.parametrize(
    "text",
    [
        "\u0000\u0000",
        "😀" * 500,
        "\u202e\u202dمرحبا \u200f",
        "<script>alert(1)</script>",
        "{brand} {position}",
        "/" * 50,
    ],
)
async def test_odd_texts_are_answered_like_any_other(desk_process: DeskProcess, text: str) -> None:
    async with WebCustomer(desk_process.url) as customer:
        if text.strip("\u0000"):
            await customer.says(text)
            assert words(await customer.hears())
        else:
            refused = await customer.http.post(
                "/chat/messages", json={"id": "6a0b5f0e-7d6f-4d3a-9a37-1d5f0c1f6a11", "text": text}
            )
            assert refused.status_code == 422


async def test_a_megabyte_is_refused_in_words(desk_process: DeskProcess) -> None:
    async with WebCustomer(desk_process.url) as customer:
        body = {"id": "6a0b5f0e-7d6f-4d3a-9a37-1d5f0c1f6a12", "text": "x" * 1_000_000}
        refused = await customer.http.post("/chat/messages", json=body)
        assert refused.status_code == 413
        assert refused.json()["message"]


async def test_health(desk_process: DeskProcess) -> None:
    async with WebCustomer(desk_process.url) as customer:
        assert (await customer.http.get("/healthz")).status_code == 200
        ready = await customer.http.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ok", "database": "ok", "engine": "ok"})
