"""The stand-in for the desk that the connectors are tested against keeps what the desk promises them."""

from __future__ import annotations

from tests.support.stand_in_desk import StandInDesk, message


async def test_following_goes_on_behind_the_cursor_and_keeps_the_line_alive() -> None:
    desk = StandInDesk(keepalive=0.01)
    first = await desk.deliver("anna", message("one"))
    await desk.deliver("bert", message("not for anna"))
    await desk.deliver("anna", message("two"))
    following = desk.follow("web", "web", "anna", first.cursor or 0)
    assert [news.text for news in await anext(following)] == ["two"]
    assert await anext(following) == []
