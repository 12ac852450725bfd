"""Files that hold secrets: whichever way their content comes, none of it is kept, and the customer is told."""

from __future__ import annotations

from bot.domain.message import Attachment, Incoming, Sender
from bot.domain.said import Fault, Said
from bot.domain.secret import FoundInFile, Removed, SecretKind
from bot.domain.staff import Agent
from bot.domain.uploads import DailyBounds, Upload
from bot.pipeline.attachments import Attachments
from bot.pipeline.clearing import Clearing
from bot.pipeline.files import FileSearch, SearchedFiles, SearchedUploads
from bot.queue import JobLease
from bot.store import Store
from bot.store.database import conninfo
from tests.support.console import PNG, Browser, sign_in
from tests.support.dump import everything, jobs, left_of
from tests.unit.test_guard_files import ENGLISH, PHRASE, WORD, WORDS, document

TEXT = f"# 1\n{ENGLISH}\n# 2".encode()
CLEAN = b"# 1\n[seed phrase removed]\n# 2"
DOCUMENT = document(("word/document.xml", WORD))
ROOM = DailyBounds(10**9, 10**9)
WITHHELD = Fault("it held a secret, and was not kept", Said("fault.held_secret"))


class Scripted:
    """Reads every picture as the same words."""

    def __init__(self, says: str | Exception) -> None:
        self._says = says

    async def read(self, picture: bytes) -> str:
        assert picture == PNG
        if isinstance(self._says, Exception):
            raise self._says
        return self._says


async def receive(store: Store, *attachments: Attachment) -> int:
    clearing = Clearing(store.incoming, files=store.files)
    incoming = Incoming("test", "bot", "1", Sender("7"), "chat-7", "look", attachments=attachments)
    receipt = await store.incoming.record(await clearing(incoming))
    assert receipt.message_id is not None
    return receipt.message_id


async def test_what_is_fetched_is_searched_and_its_message_is_answered_anew(store: Store, database_url: str) -> None:
    class Platform:
        async def fetch(self, attachment: Attachment, *_: object) -> bytes:
            return {"a.txt": TEXT, "b.docx": DOCUMENT, "c.png": PNG}[attachment.name]

    names = ("a.txt", "b.docx", "c.png")
    message_id = await receive(store, *(Attachment("file", name, name) for name in names))
    before = jobs(conninfo(database_url))
    assert before == [("turn", message_id), ("fetch", message_id)]
    await Attachments(store.files, {"test": Platform()}, marks=store.incoming).fetch(message_id, JobLease())
    [message] = await store.messages.of(1)
    text, doc, picture = message.attachments
    assert message.removed == PHRASE
    assert await store.files.get(text.sha256) == CLEAN
    assert (doc.sha256, doc.problem) == ("", WITHHELD)
    assert await store.files.found([text.sha256, picture.sha256]) == {
        text.sha256: FoundInFile(PHRASE),
        picture.sha256: FoundInFile(searched=False),
    }
    assert {("erase", message_id), ("turn", message_id)} <= set(jobs(conninfo(database_url))[2:])
    assert left_of(WORDS, everything(conninfo(database_url))) == []


async def test_what_comes_before_its_message_is_searched_and_marks_it(store: Store, database_url: str) -> None:
    uploads = SearchedUploads(store.uploads, FileSearch())
    for id, content in (("u1", TEXT), ("u2", DOCUMENT)):
        for _ in range(2):  # again, as a page does whose line was cut
            await uploads.add("test", "bot", "7", Upload(id, "file", f"{id}.txt", "text/plain"), content, ROOM)
    named = await uploads.add("test", "bot", "7", Upload("u3", "file", f"{ENGLISH}.txt", "text/plain"), b"x", ROOM)
    assert named.name == "[seed phrase removed].txt"
    brought = await SearchedFiles(store.files, FileSearch()).add(TEXT)
    assert left_of(WORDS, everything(conninfo(database_url))) == []
    attached = await uploads.named("test", "bot", "7", ["u1", "u2"])
    await receive(store, *attached, Attachment("file", brought, "by-api.txt", sha256=brought))
    [message] = await store.messages.of(1)
    assert message.removed == PHRASE
    assert [one.problem for one in message.attachments] == [None, WITHHELD, None]
    assert [await store.files.get(message.attachments[at].sha256) for at in (0, 2)] == [CLEAN, CLEAN]


async def test_a_picture_is_read_where_a_deployment_has_somebody_who_can(store: Store) -> None:
    for says, found in (
        ("Where is my transfer?", FoundInFile()),
        (f"RECOVERY PHRASE {ENGLISH}", FoundInFile(PHRASE, withheld=True)),
        (RuntimeError(ENGLISH), FoundInFile(searched=False)),
    ):
        assert (await FileSearch(pictures=Scripted(says))(PNG))[1] == found
    passes = FileSearch([SecretKind.SEED_PHRASE], Scripted(ENGLISH))
    assert (await passes(PNG), (await passes(TEXT))[0]) == ((PNG, FoundInFile()), TEXT)


async def test_agents_see_what_was_searched(browser: Browser, store: Store, mei: Agent) -> None:
    files = SearchedFiles(store.files, FileSearch())
    text, picture = await files.add(TEXT), await files.add(PNG)
    own = await store.files.add(b"an agent's own")
    attached = [Attachment("file", one, "f", sha256=one) for one in (text, picture, own)]
    await receive(store, *attached)
    page = (await (await sign_in(browser())).get("/console/conversations/1")).text
    assert page.count("Secrets were removed from this file.") == page.count("not searched for secrets") == 1
    assert Removed(SecretKind.SEED_PHRASE) in (await store.messages.of(1))[0].removed
