"""Real kills: what was received is answered, once, and nothing stands in the way of the next start."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import psutil
import pytest

from tests.e2e.customers import WebCustomer, words
from tests.e2e.desk import DeskProcess
from tests.peers.telegram import TelegramPeer

NewDesk = Callable[..., DeskProcess]


async def test_a_desk_killed_after_receiving_answers_once_after_the_restart(new_desk: NewDesk) -> None:
    async with TelegramPeer() as peer:
        desk = new_desk(
            f"channels:\n  telegram:\n    base_url: {peer.base_url}\n    poll_timeout: 1\n",
            TELEGRAM_BOT_TOKEN=peer.token,
        )
        await desk.start()
        ann = peer.user(7, first_name="Ann", language_code="en")
        ann.writes("/start")
        await peer.wait_sent(7, 1)
        # Rasa is frozen so that the turn is under way, and not over, when the desk dies.
        desk.child("serve.py").suspend()
        ann.writes("my usdt is stuck for 3 hours")
        await received(desk)
        await desk.kill()
        ann.writes("how do i reset my password")
        await desk.start()
        await peer.wait_sent(7, 3, timeout=60)
        await asyncio.sleep(3)
        texts = [message["text"] for message in peer.sent(7)]
        assert len(texts) == 3, texts
        assert "congest" in texts[1]
        assert "Forgot password" in texts[2]


async def received(desk: DeskProcess) -> None:
    """The desk has recorded a second message."""
    async with asyncio.timeout(10):
        while desk.log.count('"action": "received"') < 2:
            await asyncio.sleep(0.05)


async def test_a_killed_rasa_means_a_human_and_it_comes_back(new_desk: NewDesk) -> None:
    desk = await new_desk().start()
    desk.child("serve.py").kill()
    async with WebCustomer(desk.url) as customer:
        reply = words(await customer.asks("how do i reset my password"))
        assert "automatic answers are unavailable" in reply
        assert "place in the queue is 1" in reply
        async with asyncio.timeout(60):
            while (await customer.http.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.3)
    async with WebCustomer(desk.url) as customer:
        assert "Forgot password" in words(await customer.asks("how do i reset my password"))


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_no_process_is_left_that_blocks_the_next_start(new_desk: NewDesk, how: str) -> None:
    desk = await new_desk().start()
    rasa = desk.child("serve.py")
    if how == "stop":
        assert await desk.stop() == 0
    else:
        await desk.kill()
    psutil.wait_procs([rasa], timeout=15)
    assert not rasa.is_running()
    if how == "stop":
        with pytest.raises(LookupError):
            desk.child("postgres")
        # As after a power cut: a pid file whose number is another program's by now.
        stale = "1\n/nowhere\n0\n5432\n/tmp\n\n  0 0\nready   \n"
        (desk.var / "postgres" / "postmaster.pid").write_text(stale)
    await desk.start()
    async with WebCustomer(desk.url) as customer:
        assert "Forgot password" in words(await customer.asks("how do i reset my password"))
    # A clean stop leaves nothing behind, whatever the run before it left.
    assert await desk.stop() == 0
    with pytest.raises(LookupError):
        desk.child("postgres")


async def test_a_port_that_is_taken_is_said_at_once(new_desk: NewDesk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        desk = new_desk(PORT=str(taken.getsockname()[1]))
        with pytest.raises(RuntimeError, match=r"cannot listen on 127\.0\.0\.1"):
            await desk.start(timeout=20)
