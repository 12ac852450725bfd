"""A desk with children of its own: what it does without Rasa, and what is in the way of its next start.

That no message is lost: test_crash_campaign.py.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import psutil
import pytest

from tests.support.customers import WebCustomer, words
from tests.support.desk_process import DeskProcess

NewDesk = Callable[..., DeskProcess]


async def test_a_killed_rasa_means_a_human_and_it_comes_back(new_desk: NewDesk) -> None:
    desk = await (await new_desk().start()).staffed()
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


# The start after a kill also ends by a clean stop, which is looked at in the same way.
@pytest.mark.parametrize("how", [pytest.param("stop", marks=pytest.mark.long), "kill"])
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
