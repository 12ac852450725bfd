"""What the console's page is made of, and what its scripts ask the desk for."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

from bot.domain.message import Incoming, Sender, Visibility
from bot.domain.staff import Agent
from bot.store import Store
from handoff.desk import Desk
from tests.support.console import HTMX, Browser, queued, said, sign_in

JSON = {"Accept": "application/json"}


async def test_scripts_find_one_another_in_the_folder_of_their_version(browser: Browser, mei: Agent) -> None:
    client = await sign_in(browser())
    page = (await client.get("/console/")).text
    entries = re.findall(r'<script src="(/console/static/\w+/\w+/\w+\.js)" type="module">', page)
    assert {entry.split("/")[-2] for entry in entries} == {"components", "conversations"}
    found: set[str] = set()
    unread = list(entries)
    while unread:
        address = unread.pop()
        found.add(address)
        script = await client.get(address)
        assert (script.status_code, script.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
        # The stream's scripts serve the chat page, too, which has the version behind the address.
        named = re.findall(r'(?:from|import\()\s?["`](\.[\w./]+?\.js)', script.text)
        unread += {urljoin(address, name) for name in named} - found - set(unread)
    # Every one is asked for by the page itself, and need not be waited for; but for the stream and a library.
    assert {address.rpartition("/")[2] for address in found - set(entries)} == {
        "stream.js",
        "holder.js",
        "words.js",
        "maybe_secret.js",
        "pairs.js",
    }
    # While replicas are replaced: what another version has is not kept under this one's address.
    other = await client.get(re.sub(r"static/\w+/", "static/0123456789ab/", entries[0]))
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-store")
    for missing in ("x/components/nothing.js", "x/components/..%2fconsole.js", "x/agents/%00", "x/y/console.js"):
        assert (await client.get(f"/console/static/{missing}")).status_code == 404
    assert (await client.get("/console/static/x/agents/agents.html")).status_code == 404


async def test_a_page_loads_the_styles_and_scripts_of_the_components_and_its_own(browser: Browser, mei: Agent) -> None:
    client = await sign_in(browser())
    for path, own in (("/", "conversations"), ("/agents", "agents"), ("/channels", "channels"), ("/password", None)):
        loaded = re.findall(
            r'(?:href|src)="/console/static/\w+/(\w+)/\w+\.(?:css|js)"', (await client.get(f"/console{path}")).text
        )
        # And what its scripts say, where it has any.
        assert set(loaded) == ({"components", "words", own} if own else {"components"})
    tokens = re.findall(r'<link rel="stylesheet" href="([^"]+/tokens\.css)">', (await client.get("/console/")).text)
    assert "--ink:" in (await client.get(tokens[0])).text


async def test_a_script_is_told_what_became_of_what_it_sent(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    address = f"/console/conversations/{conversation_id}/messages"
    client = await sign_in(browser())
    form = {
        "text": "Hello",
        "mode": "reply",
        "submission": "5b9d3f60-0000-4000-8000-000000000001",
        "agent": str(mei.id),
    }
    first = await client.post(address, data=form, headers=JSON)
    again = await client.post(address, data=form, headers=JSON)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json() == {"message_id": (await store.messages.of(conversation_id))[-1].id}
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert f'data-submission="{form["submission"]}"' in page
    for changed, status, words in (
        ({"mode": "letter"}, 422, "Choose whether this is a reply or a private note."),
        ({"text": " "}, 422, "There is nothing to send"),
        ({"text": "Other"}, 422, "something else under this number"),
    ):
        answer = await client.post(address, data={**form, **changed}, headers=JSON)
        assert answer.status_code == status
        assert words in answer.json()["problem"]
    assert (await client.post(address.replace(str(conversation_id), "99"), data=form, headers=JSON)).status_code == 404
    await desk.take_over(conversation_id, ada, mei.id, "I know her")
    taken = await client.post(address, data={**form, "submission": form["submission"][:-1] + "2"}, headers=JSON)
    assert (taken.status_code, taken.json()) == (409, {"problem": "Ada has this conversation."})


async def test_a_page_sends_nothing_in_the_name_of_who_signed_in_after_its_agent(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, ada)
    client = await sign_in(browser(), "Ada")
    address = f"/console/conversations/{conversation_id}/messages"
    for agent in (str(mei.id), "", "x", "9" * 30):
        for mode in ("reply", "note"):
            form = {"text": "from Mei", "mode": mode, "agent": agent}
            assert (await client.post(address, data=form, headers=JSON)).status_code == 401
    assert all(one.text != "from Mei" for one in await store.messages.of(conversation_id))


async def test_a_message_that_breaks_off_is_nothing(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    """As whenever a page is left while it sends: nothing is recorded, and nothing breaks."""
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    client = await sign_in(browser())
    path = f"/console/conversations/{conversation_id}/messages"
    request = client.build_request("POST", path, data={"text": "half of", "mode": "reply"})
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("10.0.0.9", 1),
        "server": ("desk", 80),
    }
    received = iter([{"type": "http.request", "body": b"text=half", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(received)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await client._transport.app(scope, receive, send)  # type: ignore[attr-defined]
    assert sent[0]["status"] == 400
    assert "half" not in "".join(one.text for one in await store.messages.of(conversation_id))


async def test_presence_is_told_by_who_is_signed_in(browser: Browser, store: Store, mei: Agent) -> None:
    client = browser()
    assert (await client.post("/console/presence", headers=HTMX)).status_code == 401
    await sign_in(client)
    assert (await client.post("/console/presence")).status_code == 204
    assert (await store.agents.all())[0].seen_at is not None
    # Another site's page tells nothing.
    assert (await client.post("/console/presence", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403


async def test_who_waits_is_seen_in_the_lists_and_whose_agent_is_away(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    client = await sign_in(browser())
    waits = re.compile(r'class="waits".*?<time [^>]*data-for', re.S)
    assert waits.search((await client.get("/console/")).text)
    await desk.claim(conversation_id, ada)
    theirs = (await client.get("/console/?view=colleagues")).text
    assert waits.search(theirs)
    assert "with <bdi>Ada</bdi>, not here yet" in theirs
    page = (await client.get(f"/console/conversations/{conversation_id}")).text
    assert "never here yet" in page
    assert "Take over from <bdi>Ada</bdi>" in page
    assert f'name="holder" value="{ada.id}"' in page
    await desk.reply(conversation_id, ada, "Hello")
    assert not waits.search((await client.get("/console/?view=colleagues")).text)


async def test_acts_ask_why_and_say_who_was_faster(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, ada)
    client = await sign_in(browser())
    here = f"/console/conversations/{conversation_id}"
    for why in ("", "  ", "x" * 301):
        assert (await client.post(f"{here}/take-over", data={"holder": ada.id, "why": why})).status_code == 422
    # Somebody else has it by now.
    taken = await client.post(f"{here}/take-over", data={"holder": mei.id, "why": "she is ill"}, headers=HTMX)
    assert taken.status_code == 409
    assert "Ada has this conversation." in taken.text
    assert (await client.post(f"{here}/take-over", data={"holder": ada.id, "why": "<b>ill</b>"})).status_code == 303
    page = (await client.get(here)).text
    assert "Mei took over from Ada: &lt;b&gt;ill&lt;/b&gt;" in page
    assert re.search(rf'<option value="{ada.id}">Ada</option>', page)
    assert not re.search(rf'<option value="{mei.id}">', page)
    assert (await client.post(f"{here}/transfer", data={"to": 99, "why": "x"})).status_code == 422
    assert (await client.post(f"{here}/put-back", data={"why": "lunch"})).status_code == 303
    assert "Mei put this back into the queue: lunch" in (await client.get(here)).text


async def test_a_resolved_conversation_says_until_when_it_can_be_undone(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    conversation_id = await queued(store)
    await desk.claim(conversation_id, mei)
    client, other = await sign_in(browser()), await sign_in(browser(), "Ada")
    here = f"/console/conversations/{conversation_id}"
    await client.post(f"{here}/resolve")
    page = (await client.get(here)).text
    assert re.search(r"Resolved. The customer is told in (10|9) s.", page)
    assert "held back until <time" in page
    # Who did not resolve it may take it up again; undoing it is not theirs.
    others = (await other.get(here)).text
    assert "The customer is told in" not in others
    assert f'action="{here}/reopen?view=mine"' in others
    await client.post(f"{here}/reopen")
    now = await store.messages.of(conversation_id)
    assert [one for one in now if one.held_until is not None or "marked as resolved" in one.text] == []


async def test_the_panel_tells_of_earlier_conversations(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    first = await queued(store, "the first one")
    await desk.claim(first, mei)
    await desk.note(first, mei, "a secret")
    await store.conversations.resolve(first, mei.id, {"": "Done."}, timedelta())
    sender = Sender("Ann", "Ann", "en")
    again = await store.incoming.record(Incoming("web", "web", "Ann-again", sender, chat_id="Ann", text="me again"))
    assert again.conversation_id not in (None, first)
    other = await said(store, "somebody else", name="Ben")
    page = (await (client := await sign_in(browser())).get(f"/console/conversations/{again.conversation_id}")).text
    panel = page[page.index("Earlier conversations") :]
    assert f"/console/conversations/{first}?view=queue" in panel
    assert "the first one" in panel
    assert "a secret" in panel
    assert "somebody else" not in panel
    assert "Earlier conversations" not in (await client.get(f"/console/conversations/{other}")).text
    told = await store.messages.histories([first, other], limit=2)
    assert [one.text for one in told[first]][-1] == "Done."
    assert {key: len(messages) for key, messages in told.items()} == {first: 2, other: 1}
    assert {one.visibility for one in told[first]} == {Visibility.PRIVATE, Visibility.PUBLIC}


async def test_what_a_page_fetches_by_itself_makes_nobody_present(browser: Browser, store: Store, mei: Agent) -> None:
    client = await sign_in(browser())

    async def seen() -> object:
        return (await store.agents.all())[0].seen_at

    first = await seen()
    by_itself = [
        ("/console/", HTMX),
        ("/console/alive", {}),
        ("/console/files/1/0", {}),
        ("/console/files/1/0", {"Sec-Fetch-Mode": "no-cors"}),
    ]
    for path, headers in by_itself:
        await client.get(path, headers=headers)
    assert await seen() == first
    await client.get("/console/", headers={"Sec-Fetch-Mode": "navigate"})
    assert await seen() != first
