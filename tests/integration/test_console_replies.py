"""What agents write over HTTP: other words for a reply, taking it back, quotes, and files."""

from __future__ import annotations

import re

import pytest

from bot.domain.message import Attachment, Author, DeliveryState, Incoming, Message, Sender
from bot.domain.said import Fault
from bot.domain.staff import Agent
from bot.store import Store
from handoff.console.pages.conversations.views import MAX_FILES
from handoff.desk import Desk
from tests.support.console import HOSTILE, HTMX, PNG, Browser, delivered, queued, said, sign_in


async def held(store: Store, desk: Desk, agent: Agent, channel: str = "discord", **said_: object) -> str:
    """The address of a conversation that the agent has."""
    conversation_id = await queued(store, channel=channel, **said_)
    await desk.claim(conversation_id, agent)
    return f"/console/conversations/{conversation_id}"


def id_in(address: str) -> int:
    return int(address.rsplit("/", 1)[1])


async def replied(store: Store, desk: Desk, agent: Agent, address: str, text: str = "Hello Ann") -> Message:
    """A reply that the customer has."""
    reply = await desk.reply(id_in(address), agent, text)
    await delivered(store, reply.id, f"x{reply.id}")
    return reply


async def latest(store: Store, address: str) -> Message:
    return (await store.messages.of(id_in(address)))[-1]


# --- other words, and taking back ---------------------------------------------------------------


async def test_an_agent_gives_a_reply_other_words(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    address = await held(store, desk, mei)
    reply = await replied(store, desk, mei, address)
    client = await sign_in(browser())
    assert f'id="edit-{reply.id}"' in (await client.get(address)).text
    form = (await client.get(f"{address}?edit={reply.id}")).text
    assert re.search(r"<textarea id=\"other-words-\d+\"[^>]*>Hello Ann</textarea>", form)
    answer = await client.post(f"{address}/messages/{reply.id}/edit?view=mine", data={"text": "Hello Anna"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{address}?view=mine")
    now = await latest(store, address)
    assert (now.text, [version.text for version in now.versions]) == ("Hello Anna", ["Hello Ann"])
    page = (await client.get(address)).text
    assert "changing …" in page
    assert "<summary>edited</summary>" in page
    await delivered(store, reply.id, "x")
    assert "changed <svg" in (await client.get(address)).text


async def test_a_change_that_the_platform_refused_says_why(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    address = await held(store, desk, mei)
    reply = await replied(store, desk, mei, address)
    client = await sign_in(browser())
    for act, data, words in (
        ("edit", {"text": "other"}, "not changed at the customer’s: too old"),
        ("delete", {}, "still there at the customer’s: too old"),
    ):
        await client.post(f"{address}/messages/{reply.id}/{act}", data=data)
        begun = await store.deliveries.begin(reply.id)
        assert begun is not None
        await store.deliveries.fail(begun, Fault("too old"))
        assert words in (await client.get(address)).text


async def test_deleting_is_asked_about_and_loses_no_words(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    address = await held(store, desk, mei)
    reply = await replied(store, desk, mei, address)
    client = await sign_in(browser())
    asked = (await client.get(f"{address}?delete={reply.id}")).text
    assert "Delete this reply?" in asked
    assert f'action="{address}/messages/{reply.id}/delete?view=queue"' in asked
    assert (await latest(store, address)).deleted_at is None
    assert (await client.post(f"{address}/messages/{reply.id}/delete")).status_code == 303
    assert (await latest(store, address)).deleted_at is not None
    page = (await client.get(address)).text
    assert "deleting …" in page
    assert re.search(r'class="message agent deleted">.*?Hello Ann</div>', page, re.S)
    assert f'id="edit-{reply.id}"' not in page


async def test_what_the_customer_took_back_stays_to_be_read(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    address = await held(store, desk, mei)
    await said(store, "my seed is apple banana", id="2", channel="discord")
    await said(store, "taken back", id="3", channel="discord")
    await store.incoming.record(
        Incoming("discord", "discord", "deletion", Sender("Ann"), chat_id="Ann", deletes="Ann-3")
    )
    client = await sign_in(browser())
    page = (await client.get(address)).text
    assert re.search(r'class="message customer[a-z ]* deleted">.*?taken back</div>', page, re.S)
    assert "deleted by the customer" in page
    row = (await client.get("/console/?view=mine")).text
    assert "taken back" not in row


async def test_only_its_author_may_change_a_reply(
    browser: Browser, store: Store, desk: Desk, mei: Agent, ada: Agent
) -> None:
    address = await held(store, desk, mei)
    reply = await replied(store, desk, mei, address)
    client = await sign_in(browser(), "Ada")
    for path in (address, f"{address}?edit={reply.id}", f"{address}?delete={reply.id}"):
        page = (await client.get(path)).text
        assert "/edit" not in page
        assert "Delete this reply?" not in page
    for act in ("edit", "delete"):
        answer = await client.post(f"{address}/messages/{reply.id}/{act}", data={"text": "mine now"}, headers=HTMX)
        assert answer.status_code == 422
        assert "somebody else" in answer.text
    now = await latest(store, address)
    assert (now.text, now.deleted_at) == ("Hello Ann", None)


async def test_nothing_is_changed_where_the_channel_cannot(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    address = await held(store, desk, mei, "web")
    reply = await replied(store, desk, mei, address)
    client = await sign_in(browser())
    page = (await client.get(f"{address}?edit={reply.id}")).text
    assert "/edit" not in page
    assert 'type="file"' not in page
    answer = await client.post(f"{address}/messages/{reply.id}/edit", data={"text": "other"})
    assert answer.status_code == 422
    assert "What was sent on web cannot be changed any more." in answer.text
    assert (await latest(store, address)).text == "Hello Ann"


async def test_refused_words_are_still_in_the_box(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    address = await held(store, desk, mei)
    reply = await replied(store, desk, mei, address)
    client = await sign_in(browser())
    answer = await client.post(f"{address}/messages/{reply.id}/edit", data={"text": "long " * 2_001})
    assert answer.status_code == 422
    assert "at most 10,000" in answer.text
    assert "long long long" in answer.text
    await desk.delete(reply.id, mei)
    gone = await client.post(f"{address}/messages/{reply.id}/edit", data={"text": "too late"}, headers=HTMX)
    assert gone.status_code == 422
    assert "deleted already" in gone.text


# --- quotes -------------------------------------------------------------------------------------


async def test_a_reply_quotes_what_it_answers(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    address = await held(store, desk, mei, text=HOSTILE)
    question = (await store.messages.of(id_in(address)))[0]
    await said(store, "something else", id="2", channel="discord")
    client = await sign_in(browser())
    chosen = (await client.get(f"{address}?quote={question.id}")).text
    assert f'name="reply_to" value="{question.id}"' in chosen
    sent = await client.post(f"{address}/messages", data={"text": "This one.", "reply_to": str(question.id)})
    assert sent.status_code == 303
    assert (await latest(store, address)).reply_to == question.id
    page = (await client.get(address)).text
    quoted = re.findall(r'<a class="quote" href="#m-(\d+)"><b><bdi>Ann</bdi></b> <span dir="auto">(.*?)</span>', page)
    assert [(int(id), words[:14]) for id, words in quoted] == [(question.id, "&lt;script&gt;")]
    assert "<script>alert" not in page


async def test_the_bots_answer_to_the_last_message_needs_no_quote_and_a_later_one_does(
    browser: Browser, store: Store, mei: Agent
) -> None:
    conversation_id = await queued(store, "first", channel="discord")
    client = await sign_in(browser())
    address = f"/console/conversations/{conversation_id}"
    answer = await latest(store, address)
    assert (answer.author, answer.reply_to) == (Author.BOT, (await store.messages.of(conversation_id))[0].id)
    assert 'class="quote"' not in (await client.get(address)).text
    await delivered(store, answer.id, "b1")
    await said(store, "about that", id="2", channel="discord", replies_to="b1")
    page = (await client.get(address)).text
    assert re.search(rf'class="quote" href="#m-{answer.id}"><b>Bot</b>', page)


async def test_a_quote_of_an_earlier_conversation_leads_there(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    address = await held(store, desk, mei)
    reply = await replied(store, desk, mei, address)
    await desk.resolve(id_in(address), mei)
    later = await said(store, "thanks again", id="2", channel="discord", replies_to=f"x{reply.id}")
    client = await sign_in(browser())
    page = (await client.get(f"/console/conversations/{later}")).text
    assert f'class="quote" href="{address}?view=queue#m-{reply.id}"' in page


@pytest.mark.parametrize("reply_to", ["", "abc", "-1", "²", "9" * 30])
async def test_a_quote_that_names_nothing_is_no_quote(
    browser: Browser, store: Store, desk: Desk, mei: Agent, reply_to: str
) -> None:
    address = await held(store, desk, mei)
    client = await sign_in(browser())
    answer = await client.post(f"{address}/messages", data={"text": "Hello", "reply_to": reply_to})
    assert answer.status_code == 303
    assert (await latest(store, address)).reply_to is None


async def test_somebody_elses_message_cannot_be_quoted(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    address = await held(store, desk, mei)
    other = await said(store, "private to Ben", name="Ben", channel="discord")
    theirs = (await store.messages.of(other))[0].id
    client = await sign_in(browser())
    answer = await client.post(f"{address}/messages", data={"text": "Hello", "reply_to": str(theirs)})
    assert answer.status_code == 422
    assert "The message that you quote is not there any more." in answer.text
    assert "private to Ben" not in (await client.get(f"{address}?quote={theirs}")).text.split('id="scroll')[1]
    assert ">Hello</textarea>" in answer.text


# --- files --------------------------------------------------------------------------------------


async def test_files_go_out_with_and_without_words(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    address = await held(store, desk, mei)
    client = await sign_in(browser())
    assert 'enctype="multipart/form-data"' in (await client.get(address)).text
    files = [
        ("files", ("how.png", PNG, "text/html")),
        ("files", ("../../etc/a\u202egnp.pdf", b"%PDF-", "application/pdf")),
    ]
    assert (await client.post(f"{address}/messages", data={"text": "See"}, files=files)).status_code == 303
    sent = await latest(store, address)
    assert (sent.text, sent.delivery) == ("See", DeliveryState.PENDING)
    assert [(one.kind, one.name, one.media_type, one.size) for one in sent.attachments] == [
        ("photo", "how.png", "image/png", len(PNG)),
        ("file", "agnp.pdf", "application/pdf", 5),
    ]
    assert await store.files.get(sent.attachments[0].sha256) == PNG
    only = await client.post(f"{address}/messages", data={"text": ""}, files=files[:1])
    assert only.status_code == 303
    assert (await latest(store, address)).text == ""
    assert f'<img src="/console/files/{sent.id}/0?as=picture" alt="how.png"' in (await client.get(address)).text


async def test_a_claimed_picture_is_sent_as_what_it_is(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    address = await held(store, desk, mei)
    client = await sign_in(browser())
    await client.post(f"{address}/messages", files=[("files", ("x.png", b"<svg onload=alert(1)>", "image/png"))])
    attachment = (await latest(store, address)).attachments[0]
    assert (attachment.kind, attachment.media_type) == ("file", "application/octet-stream")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("large.mov", 100_001)], "The file large.mov has 100 kB; at most 100 kB can be sent on discord."),
        ([("fine.txt", 1), ("empty.txt", 0)], "The file empty.txt is empty."),
        ([(f"{number}.txt", 1) for number in range(MAX_FILES + 1)], "11 files are too many"),
    ],
)
async def test_files_that_cannot_be_sent_are_named_and_the_words_kept(
    browser: Browser, store: Store, desk: Desk, mei: Agent, files: list[tuple[str, int]], words: str
) -> None:
    address = await held(store, desk, mei)
    client = await sign_in(browser())
    uploads = [("files", (name, bytes(size), "text/plain")) for name, size in files]
    answer = await client.post(f"{address}/messages", data={"text": "my long answer"}, files=uploads)
    assert answer.status_code == 422
    assert words in answer.text
    assert ">my long answer</textarea>" in answer.text
    assert "Your files were not kept" in answer.text
    assert not [one for one in await store.messages.of(id_in(address)) if one.author is Author.AGENT]


async def test_files_go_neither_on_a_channel_without_nor_into_a_note(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    web, discord = await held(store, desk, mei, "web"), await held(store, desk, mei, name="Ben")
    client = await sign_in(browser())
    files = [("files", ("a.txt", b"a", "text/plain"))]
    refused = await client.post(f"{web}/messages", data={"text": "See"}, files=files)
    assert (refused.status_code, "Files cannot be sent on web." in refused.text) == (422, True)
    note = await client.post(f"{discord}/messages", data={"text": "See", "mode": "note"}, files=files)
    assert (note.status_code, "Files cannot be added to a private note" in note.text) == (422, True)
    assert not (await latest(store, discord)).attachments


async def test_large_uploads_are_taken_here_and_nowhere_else(
    browser: Browser, store: Store, desk: Desk, mei: Agent
) -> None:
    address = await held(store, desk, mei)
    client = await sign_in(browser())
    large = [("files", ("large.bin", bytes(3_000_000), "text/plain"))]
    assert "at most 100 kB" in (await client.post(f"{address}/messages", files=large)).text
    assert (await client.post(f"{address}/links", files=large)).status_code == 413
    stranger = await browser().post(f"{address}/messages", files=large)
    assert stranger.status_code == 303
    assert stranger.headers["location"].startswith("/console/sign-in")


async def test_names_of_files_stay_text(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    sha256 = await store.files.add(PNG)
    lost = Attachment("file", "u", HOSTILE, problem=Fault(HOSTILE))
    attachments = (Attachment("photo", "u", HOSTILE, sha256=sha256), lost)
    address = await held(store, desk, mei, attachments=attachments)
    client = await sign_in(browser())
    page = (await client.get(address)).text
    assert "<script>alert" not in page
    assert "onerror=alert(1)>" not in page
    assert len(re.findall("<img ", page)) == 1


# --- forms that no browser sends ------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary=b; charset=unicode_escape",
        'multipart/form-data; charset="utf-7"; boundary=b',
        "multipart/form-data; boundary=b; CHARSET = undefined",
        "multipart/form-data; boundary=b; charset*=utf-8''unicode_escape",
        "multipart/form-data; boundary=b",
    ],
)
async def test_forms_are_utf_8_whatever_they_claim(
    browser: Browser, store: Store, desk: Desk, mei: Agent, kind: str
) -> None:
    client, address = browser(), await held(store, desk, mei)
    words = r"\ud800 +2AA- 您好"

    def form(field: str) -> bytes:
        head = f'--b\r\ncontent-disposition: form-data; name="{field}"\r\n\r\n'
        return f"{head}{words}\r\n--b--\r\n".encode()

    headers = {"Content-Type": kind}
    assert (await client.post("/console/sign-in", content=form("name"), headers=headers)).status_code == 403
    await sign_in(client)
    assert (await client.post(f"{address}/messages", content=form("text"), headers=headers)).status_code == 303
    assert (await latest(store, address)).text == words


# --- sent again ---------------------------------------------------------------------------------


async def test_a_form_that_is_sent_again_is_one_reply(browser: Browser, store: Store, desk: Desk, mei: Agent) -> None:
    """Whoever gets an error page cannot know whether the desk died before or after it had the words."""
    address = await held(store, desk, mei)
    client = await sign_in(browser())

    async def form(text: str) -> dict[str, str]:
        found = re.search(r'name="submission" value="([^"]+)"', (await client.get(address)).text)
        assert found is not None
        return {"text": text, "mode": "reply", "submission": found[1]}

    async def replies() -> list[str]:
        return [one.text for one in await store.messages.of(id_in(address)) if one.author is Author.AGENT]

    first = await form("Hello")
    for _ in range(2):
        assert (await client.post(f"{address}/messages", data=first)).status_code == 303
    assert await replies() == ["Hello"]
    # Other words under the same number, by the browser's way back: they are kept, and sent under the page's next one.
    refused = await client.post(f"{address}/messages", data={**first, "text": "Anna"})
    assert refused.status_code == 422
    assert "Anna</textarea>" in refused.text
    assert (await client.post(f"{address}/messages", data=await form("Anna"))).status_code == 303
    # The same words said anew by who sees that they are there.
    again = await form("Hello")
    assert (await client.post(f"{address}/messages", data=again)).status_code == 303
    assert await replies() == ["Hello", "Anna", "Hello"]
    # A request that was stuck in a frozen replica comes last.
    assert (await client.post(f"{address}/messages", data=again)).status_code == 303
    assert await replies() == ["Hello", "Anna", "Hello"]
