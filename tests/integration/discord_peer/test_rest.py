"""The stand-in's REST API without discord.py: what Discord refuses, it refuses."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
import yarl

from tests.peers.discord import DiscordPeer
from tests.support.discord_peer import call, messages_url


async def test_only_a_bot_token_is_taken(peer: DiscordPeer) -> None:
    for given in (
        {},
        {"Authorization": peer.token},
        {"Authorization": "Bot x"},
        {"Authorization": f"Bearer {peer.token}"},
    ):
        async with aiohttp.ClientSession(headers=given) as session:
            status, body = await call(session, "GET", f"{peer.api_base}/users/@me")
            assert (status, body) == (401, {"message": "401: Unauthorized", "code": 0})
            assert (await call(session, "GET", f"{peer.api_base}/gateway"))[0] == 200
    assert all(made.path == "/gateway" for made in peer.calls)


async def test_messages_are_validated(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    url = messages_url(peer, peer.user())

    async def refused(body: Any) -> tuple[int, Any]:
        status, answer = await call(http, "POST", url, json=body)
        assert status == 400, answer
        return answer["code"], answer.get("errors")

    async def reason(body: Any, *path: str) -> str:
        code, errors = await refused(body)
        assert code == 50035
        for name in path:
            errors = errors[name]
        return errors["_errors"][0]["code"]

    assert await refused({"content": " \n "}) == (50006, None)
    assert await refused({"content": ""}) == (50006, None)
    code, errors = await refused({"content": "x" * 2001})
    assert code == 50035
    told = {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}
    assert errors == {"content": {"_errors": [told]}}
    assert (await call(http, "POST", url, json={"content": "😀" * 2000}))[0] == 200
    assert await reason({"content": "x", "nonce": "n" * 26}, "nonce") == "BASE_TYPE_MAX_LENGTH"

    def rows(*buttons: Any, count: int = 1) -> Any:
        return {"content": "x", "components": [{"type": 1, "components": list(buttons)}] * count}

    def button(custom_id: str, label: str = "l") -> Any:
        return {"type": 2, "style": 1, "label": label, "custom_id": custom_id}

    row = ("components", "0", "components")
    assert await reason(rows(button("")), *row, "0", "custom_id") == "BASE_TYPE_BAD_LENGTH"
    assert await reason(rows(button("c" * 101)), *row, "0", "custom_id") == "BASE_TYPE_BAD_LENGTH"
    assert await reason(rows(button("c", "l" * 81)), *row, "0", "label") == "BASE_TYPE_MAX_LENGTH"
    assert await reason(rows(button("c"), button("c")), *row, "1", "custom_id") == "COMPONENT_CUSTOM_ID_DUPLICATED"
    assert await reason(rows(*[button(str(n)) for n in range(6)]), *row) == "BASE_TYPE_BAD_LENGTH"
    assert await reason(rows(), *row) == "BASE_TYPE_BAD_LENGTH"
    assert await reason(rows(button("c"), count=6), "components") == "BASE_TYPE_BAD_LENGTH"
    status, message = await call(http, "POST", url, json=rows(button("c")))
    assert status == 200
    assert message["components"][0]["components"][0]["id"] == 2

    unknown = {"content": "x", "message_reference": {"message_id": "5"}}
    assert await reason(unknown, "message_reference") == "REPLIES_UNKNOWN_MESSAGE"
    unknown["message_reference"]["fail_if_not_exists"] = False
    status, message = await call(http, "POST", url, json=unknown)
    assert (status, message["type"]) == (200, 0)

    async with http.post(url, data=b"{", headers={"Content-Type": "application/json"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 50109)
    async with http.post(url, data=b'{"content":"\\ud800"}', headers={"Content-Type": "application/json"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 50109)
    async with http.post(url, data=b"x", headers={"Content-Type": "text/plain"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 50035)


async def test_nonces(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    url = messages_url(peer, ann)
    once = {"content": "x", "nonce": "5", "enforce_nonce": True}
    _, first = await call(http, "POST", url, json=once)
    _, again = await call(http, "POST", url, json=once)
    assert (again["id"], again["nonce"]) == (first["id"], "5")
    _, other = await call(http, "POST", url, json={"content": "x", "nonce": "5"})
    assert other["id"] != first["id"]  # not asked to compare
    peer.nonce_window = 0
    _, later = await call(http, "POST", url, json=once)
    assert later["id"] not in (first["id"], other["id"])
    assert len(ann.sees) == 3


async def test_mentions(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    url = messages_url(peer, ann)
    asked = ann.writes("hello")
    text = f"@everyone @here <@{ann.id}> <@999>"
    reply = {"message_id": asked}

    async def pinged(**body: Any) -> list[str]:
        status, message = await call(http, "POST", url, json=body)
        assert status == 200
        assert "mentions_pinged" not in message
        assert (bool(message["mentions"]), message["mention_everyone"]) == (
            f"<@{ann.id}>" in ann.sees[-1]["mentions_pinged"],
            "@everyone" in ann.sees[-1]["mentions_pinged"],
        )
        return list(ann.sees[-1]["mentions_pinged"])

    assert await pinged(content=text) == ["@everyone", "@here", f"<@{ann.id}>"]
    assert await pinged(content=text, allowed_mentions={"parse": []}) == []
    assert await pinged(content=text, allowed_mentions={"parse": ["users"]}) == [f"<@{ann.id}>"]
    assert await pinged(content=text, allowed_mentions={"parse": [], "users": [ann.id]}) == [f"<@{ann.id}>"]
    assert await pinged(content="x", message_reference=reply) == [f"<@{ann.id}>"]
    assert await pinged(content="x", message_reference=reply, allowed_mentions={"parse": []}) == []
    allowed = {"parse": [], "replied_user": True}
    assert await pinged(content="x", message_reference=reply, allowed_mentions=allowed) == [f"<@{ann.id}>"]
    both = {"parse": ["users"], "users": [str(ann.id)]}
    assert (await call(http, "POST", url, json={"content": "x", "allowed_mentions": both}))[0] == 400


async def test_only_own_messages_change(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    theirs = ann.writes("mine")
    url = messages_url(peer, ann)
    assert (await call(http, "PATCH", f"{url}/{theirs}", json={"content": "x"}))[1]["code"] == 50005
    assert (await call(http, "DELETE", f"{url}/{theirs}"))[1]["code"] == 50003
    for method, options in (("GET", {}), ("PATCH", {"json": {"content": "x"}}), ("DELETE", {})):
        assert (await call(http, method, f"{url}/77", **options))[1] == {"message": "Unknown Message", "code": 10008}
    _, own = await call(http, "POST", url, json={"content": "a"})
    status, changed = await call(http, "PATCH", f"{url}/{own['id']}", json={"content": "b"})
    assert (status, changed["content"]) == (200, "b")
    assert changed["edited_timestamp"]
    assert (await call(http, "PATCH", f"{url}/{own['id']}", json={"content": ""}))[1]["code"] == 50006
    assert (await call(http, "DELETE", f"{url}/{own['id']}"))[0] == 204
    assert (await call(http, "DELETE", f"{url}/{own['id']}"))[0] == 404


async def test_history_as_listed(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    ids = [ann.writes(str(number)) for number in range(10)]
    url = messages_url(peer, ann)

    async def listed(query: str) -> list[str]:
        status, messages = await call(http, "GET", f"{url}?{query}")
        assert status == 200
        return [message["content"] for message in messages]

    assert await listed("limit=2") == ["9", "8"]
    assert await listed(f"after={ids[3]}&limit=2") == ["5", "4"]
    assert await listed("after=0&limit=2") == ["1", "0"]
    assert await listed(f"before={ids[3]}&limit=2") == ["2", "1"]
    assert await listed(f"around={ids[5]}&limit=3") == ["6", "5", "4"]
    for limit in ("0", "101", "x"):
        assert (await call(http, "GET", f"{url}?limit={limit}"))[1]["code"] == 50035
    assert (await call(http, "GET", f"{url}?after=x"))[1]["code"] == 50035
    assert (await call(http, "GET", f"{peer.api_base}/channels/x/messages"))[1]["code"] == 50035


async def test_opening_direct_messages(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    url = f"{peer.api_base}/users/@me/channels"
    ann.closes_dms()
    _, first = await call(http, "POST", url, json={"recipient_id": ann.id})
    _, again = await call(http, "POST", url, json={"recipient_id": str(ann.id)})
    assert first == again
    assert (first["id"], first["recipients"][0]["id"]) == (str(ann.channel_id), str(ann.id))
    assert (await call(http, "POST", url, json={"recipient_id": 5}))[1]["code"] == 50033
    assert (await call(http, "POST", f"{url}/typing"))[0] == 404
    typing = f"{peer.api_base}/channels/{ann.channel_id}/typing"
    assert (await call(http, "POST", typing))[0] == 204
    assert [channel for channel, _ in peer.typings] == [ann.channel_id]
    assert (await call(http, "PUT", typing))[0] == 405


async def test_links_are_refreshed(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    ann = peer.user()
    ann.writes("", [("a.txt", b"abc", "text/plain")])
    _, listed = await call(http, "GET", messages_url(peer, ann))
    url = listed[0]["attachments"][0]["url"]

    async def opens(link: str) -> int:
        async with aiohttp.ClientSession() as anybody, anybody.get(yarl.URL(link, encoded=True)) as answer:
            return answer.status

    assert await opens(url) == 200
    assert await opens(url.replace("hm=", "hm=0")) == 404
    assert await opens(url.partition("?")[0]) == 404
    peer.expire_links()
    assert await opens(url) == 404
    refresh = f"{peer.api_base}/attachments/refresh-urls"
    status, body = await call(http, "POST", refresh, json={"attachment_urls": [url]})
    assert status == 200
    assert body["refreshed_urls"][0]["original"] == url
    assert await opens(body["refreshed_urls"][0]["refreshed"]) == 200


async def test_commands_are_validated(peer: DiscordPeer, http: aiohttp.ClientSession) -> None:
    url = f"{peer.api_base}/applications/{peer.application_id}/commands"
    good = {"name": "人工", "description": "d", "contexts": [0, 1]}
    assert (await call(http, "PUT", url, json=[good]))[0] == 200
    for wrong in (
        {"name": "Support"},
        {"name": "a b"},
        {"name": "x" * 33},
        {"description": ""},
        {"description": "d" * 101},
        {"contexts": [3]},
        {"name_localizations": {"zh": "x"}},
    ):
        status, body = await call(http, "PUT", url, json=[{**good, **wrong}])
        assert (status, body["code"]) == (400, 50035)
        assert "0" in body["errors"]
    assert (await call(http, "PUT", url, json=[good, good]))[0] == 400
    assert (await call(http, "GET", url))[1][0]["name"] == "人工"
    assert (await call(http, "GET", f"{peer.api_base}/applications/5/commands"))[1]["code"] == 20012
    peer.user().runs("人工")
    only_guilds = {**good, "contexts": [0]}
    await call(http, "PUT", url, json=[only_guilds])
    with pytest.raises(AssertionError, match="not offered here"):
        peer.user().runs("人工")


async def test_the_world_outlives_its_servers(peer: DiscordPeer) -> None:
    ann = peer.user()
    ann.writes("hello")
    async with DiscordPeer(state=peer.state) as other:
        assert other.token == peer.token
        headers = {"Authorization": f"Bot {other.token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            url = f"{other.api_base}/channels/{ann.channel_id}/messages"
            assert (await call(session, "GET", url))[1][0]["content"] == "hello"
