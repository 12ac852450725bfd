#!/usr/bin/env python3
"""A client of Switchboard's channel by API: a little platform of its own, in one file, with Python alone.

    export API_SECRET=whsec_…        # the same as the desk's API_CHANNEL_SECRET_SAMPLE
    python3 client.py --desk http://127.0.0.1:8080 --app sample --listen 127.0.0.1:9000 --database chat.db

What is typed goes to the desk, what the desk says is printed; ``<file>`` sends a file, ``/press 1`` presses the first
button of the last message, ``/undo`` takes the last line back. README.md beside it is the contract that it keeps.

It may be killed at any moment, and so may the desk. What keeps that promise:

* What a customer does is written to the database first, under an id, and only then sent: again and again under the same
  id, until the desk answers 2xx. Of one customer it goes in order, one at a time.
* What the desk sends is written to the database first, with its ``webhook-id``, and only then answered 2xx. An id that
  is there already is answered as it was, and shown to nobody again.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import mimetypes
import os
import pathlib
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WINDOW = 300  # seconds that a signature is good for
MOST_BODY = 16 * 1024 * 1024
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
MENDED = 10.0  # seconds after which what somebody has to mend is tried again

TABLES = """
CREATE TABLE IF NOT EXISTS outbox (   -- what is to go to the desk, in order
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, line TEXT, path TEXT, body TEXT, sent INTEGER DEFAULT 0,
    refused TEXT, answer TEXT);
CREATE TABLE IF NOT EXISTS inbox (    -- every webhook-id that was taken, with what was answered
    id TEXT PRIMARY KEY, answer TEXT);
CREATE TABLE IF NOT EXISTS screen (   -- what the customer sees
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, contact TEXT, author TEXT, text TEXT, buttons TEXT DEFAULT '[]',
    file TEXT, reply_to TEXT, changed_at TEXT DEFAULT '', gone INTEGER DEFAULT 0);
"""


class Refused(Exception):
    """The desk will never take it; trying again changes nothing."""


class Client:
    def __init__(self, database, desk, app, secret, show=lambda *_: None):
        self.desk = desk.rstrip("/")
        self.app = app
        self.key = base64.b64decode(secret.removeprefix("whsec_"))
        self.show = show
        self.failures = 0  # what the desk did not take yet, for whoever watches
        self._database = sqlite3.connect(database, check_same_thread=False)
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + TABLES)
        self._lock = threading.RLock()  # one thread at a time in the database
        self._news = threading.Event()
        self._stop = threading.Event()
        self._sender = threading.Thread(target=self._send_all, daemon=True)

    # --- what customers do ------------------------------------------------------------------------

    def says(self, contact, text, *, name="", language=None, files=(), reply_to=None, thread="", id=None, **more):
        """A customer writes; the id of the message. When this returns it is safe, and will arrive. A file is
        ``{"content": bytes, "name": …, "media_type": …}``, or names with ``file`` what ``upload`` returned."""
        event = {
            "type": "message",
            "contact": self._who(contact, name, language),
            "text": text,
            "files": [self._packed(file) for file in files],
            "reply_to": reply_to,
            "thread": thread,
            **more,  # quote, forwarded, other
        }
        return self._keep(contact, event, id, text)

    def presses(self, contact, payload, label):
        event = {"type": "press", "contact": self._who(contact), "payload": payload, "label": label}
        return self._keep(contact, event, None, label)

    def edits(self, contact, message, text):
        return self._keep(
            contact, {"type": "edit", "contact": self._who(contact), "message": message, "text": text}, None, None
        )

    def takes_back(self, contact, message):
        return self._keep(contact, {"type": "delete", "contact": self._who(contact), "message": message}, None, None)

    def tells(self, contact, message, status, error=None):
        """What became of a message of the desk's: ``delivered``, ``read``, or ``failed`` with the reason."""
        event = {"type": "receipt", "contact": self._who(contact), "message": message, "status": status}
        if error is not None:
            event["error"] = error
        # In a line of their own: a receipt that has to wait holds up no words. Told twice, it is the same receipt.
        return self._keep(f"{contact} receipts", event, f"{status}-{message}", None)

    def upload(self, content):
        """Brings a file to the desk now; what names it in ``says`` for the next 24 hours."""
        return self._bring(base64.b64encode(content).decode())

    def notice(self, body, id):
        """Has the desk write to a customer; the id makes it one notice, however often it is called."""
        return self._call("/notices", id, json.dumps(body))

    def _packed(self, file):
        return {**file, "content": base64.b64encode(file["content"]).decode()} if "content" in file else file

    def _who(self, contact, name="", language=None):
        return {"id": contact, "name": name, "language": language}

    def _keep(self, line, event, id, shown):
        """Writes the event down, to go when those of its line before it are over."""
        contact, id = event["contact"]["id"], id or str(uuid.uuid4())
        with self._lock, self._database:
            self._database.execute(
                "INSERT OR IGNORE INTO outbox (id, line, path, body) VALUES (?, ?, '/events', ?)",
                (id, line, json.dumps(event)),
            )
            if shown is not None:
                self._database.execute(
                    "INSERT OR IGNORE INTO screen (id, contact, author, text) VALUES (?, ?, 'customer', ?)",
                    (id, contact, shown),
                )
        self._news.set()
        return id

    # --- to the desk ------------------------------------------------------------------------------

    def _send_all(self):
        again = {}  # by line: when its first is tried again, and after what pause
        while not self._stop.is_set():
            self._news.clear()
            with self._lock:
                waiting = self._database.execute(
                    # The first of each line, which is a customer's: the next one goes when that was taken.
                    "SELECT id, line, path, body FROM outbox WHERE number IN"
                    " (SELECT min(number) FROM outbox WHERE NOT sent AND refused IS NULL GROUP BY line)"
                    " ORDER BY number"
                ).fetchall()
            now = time.monotonic()
            due = [one for one in waiting if again.get(one[1], (now,))[0] <= now]
            for id, line, path, body in due:
                wait = self._send_one(id, path, body)
                if wait:
                    pause = min(again[line][1] * 2, LONGEST_PAUSE) if line in again else FIRST_PAUSE
                    again[line] = (time.monotonic() + max(wait, pause), pause)
                else:
                    again.pop(line, None)
            if not due:
                self._news.wait(min([1.0, *(again[line][0] - now for _, line, _, _ in waiting)]))

    def _send_one(self, id, path, body):
        """Seconds after which to try again; 0.0 when it is over."""
        try:
            answer = self._call(path, id, self._with_files(body))
            done = ("UPDATE outbox SET sent = 1, answer = ? WHERE id = ?", (json.dumps(answer), id))
        except Refused as refused:
            print(f"the desk does not take it: {refused}", file=sys.stderr, flush=True)
            done = ("UPDATE outbox SET refused = ? WHERE id = ?", (str(refused), id))
        except Later as later:
            self.failures += 1
            return later.seconds
        with self._lock, self._database:
            self._database.execute(*done)
        return 0.0

    def _with_files(self, body):
        """The event as the desk takes it: its files are brought before. Brought again they cost nothing."""
        event = json.loads(body)
        for file in event.get("files", ()):
            if "content" in file:
                file["file"] = self._bring(file.pop("content"))
        return json.dumps(event)

    def _bring(self, content):
        return self._call("/files", str(uuid.uuid4()), json.dumps({"content": content}))["file"]

    def _call(self, path, id, body):
        """One signed POST. Raises ``Refused`` for what is never taken, and ``Later`` for all that may yet be."""
        content = body.encode()
        headers = {"Content-Type": "application/json", **self._signed(id, content)}
        request = urllib.request.Request(f"{self.desk}/api/v1/apps/{self.app}{path}", content, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read(65536).decode("utf-8", "replace")
            if error.code in (408, 425, 429) or error.code >= 500:
                raise Later(float(error.headers.get("Retry-After") or FIRST_PAUSE)) from None
            if error.code == 401 or (path != "/notices" and error.code in (403, 404)):
                # Clock, secret or configuration: no event's fault, so they wait until somebody has mended it.
                print(f"the desk says: {error.code} {said}", file=sys.stderr, flush=True)
                raise Later(MENDED) from None
            raise Refused(f"{error.code} {said}") from None
        except (OSError, ValueError) as error:  # nobody there, or only half an answer: nobody knows, so again
            raise Later(FIRST_PAUSE) from error

    def _signed(self, id, content):
        at = str(int(time.time()))
        return {"webhook-id": id, "webhook-timestamp": at, "webhook-signature": f"v1,{self._mac(id, at, content)}"}

    def _mac(self, id, at, content):
        said = f"{id}.{at}.".encode() + content
        return base64.b64encode(hmac.new(self.key, said, hashlib.sha256).digest()).decode()

    # --- from the desk ----------------------------------------------------------------------------

    def is_signed(self, headers, content):
        id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not at.isdecimal() or abs(time.time() - int(at)) > WINDOW:
            return False
        expected = self._mac(id, at, content)
        given = [one.partition(",")[2] for one in headers.get("webhook-signature", "").split() if one.startswith("v1,")]
        return any(hmac.compare_digest(expected, one) for one in given)

    def take(self, id, content):
        """What the desk sends, which is signed: status and answer. 2xx only once it is written."""
        try:
            event = json.loads(content)
            kind, contact = event["type"], event.get("contact", {}).get("id")
        except (ValueError, KeyError, AttributeError):
            return 400, {"error": "not an event"}
        lines = []
        with self._lock, self._database:
            known = self._database.execute("SELECT answer FROM inbox WHERE id = ?", (id,)).fetchone()
            if known:
                return 200, json.loads(known[0])
            answer = {}
            if kind == "message":
                answer = {"id": f"m{uuid.uuid4().hex[:12]}"}
                self._show_message(answer["id"], contact, event, lines)
            elif kind == "edit":
                self._database.execute(
                    # Two tries may cross: the later one holds.
                    "UPDATE screen SET text = ?, buttons = ?, changed_at = ? WHERE id = ? AND changed_at < ?",
                    (event["text"], json.dumps(event["buttons"]), event["at"], event["message"], event["at"]),
                )
                lines.append(f"(changed) {event['text']}")
            elif kind == "delete":
                self._database.execute("UPDATE screen SET gone = 1 WHERE id = ?", (event["message"],))
                lines.append("(a message was taken back)")
            # Anything else is a courtesy, or from a newer desk: taken, and not shown.
            if kind not in ("typing", "ping"):
                self._database.execute("INSERT INTO inbox (id, answer) VALUES (?, ?)", (id, json.dumps(answer)))
        for line in lines:
            self.show(contact, line)
        return 200, answer

    def _show_message(self, id, contact, event, lines):
        file = event.get("file")
        self._database.execute(
            "INSERT INTO screen (id, contact, author, text, buttons, file, reply_to) VALUES (?, ?, 'desk', ?, ?, ?, ?)",
            (
                id,
                contact,
                event["text"],
                json.dumps(event["buttons"]),
                json.dumps(file) if file else None,
                event["reply_to"],
            ),
        )
        lines.append(f"[{file['name']}]" if file else event["text"])
        lines.extend(f"  [{number}] {button['label']}" for number, button in enumerate(event["buttons"], 1))

    # --- for whoever looks ------------------------------------------------------------------------

    def screen(self, contact, author="desk"):
        """What the customer sees of the desk's messages, as they stand there now."""
        with self._lock:
            found = self._database.execute(
                "SELECT id, text, buttons, file, reply_to FROM screen WHERE contact = ? AND author = ? AND NOT gone"
                " ORDER BY number",
                (contact, author),
            ).fetchall()
        names = ("id", "text", "buttons", "file", "reply_to")
        return [dict(zip(names, row, strict=True)) for row in found]

    def unsent(self):
        """How much the desk has not taken yet, and what it refused."""
        with self._lock:
            count = self._database.execute("SELECT count(*) FROM outbox WHERE NOT sent AND refused IS NULL").fetchone()[
                0
            ]
            refused = self._database.execute("SELECT refused FROM outbox WHERE refused IS NOT NULL").fetchall()
        return count, [row[0] for row in refused]

    # --- running ----------------------------------------------------------------------------------

    def start(self, host, port):
        """Listens for the desk, and sends what waits; the address of the webhook."""
        client = self

        class Webhook(BaseHTTPRequestHandler):
            timeout = 30  # a half-open line holds no thread for ever

            def do_POST(self):
                length = self.headers.get("Content-Length", "")
                if not length.isdecimal() or int(length) > MOST_BODY:
                    return self._answer(413, {"error": "too large"})
                content = self.rfile.read(int(length))
                if not client.is_signed(self.headers, content):
                    return self._answer(401, {"error": "the signature does not fit"})
                return self._answer(*client.take(self.headers["webhook-id"], content))

            def _answer(self, status, said):
                content = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer((host, port), Webhook)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self._sender.start()
        return "http://{}:{}/".format(*self._server.server_address[:2])

    def stop(self):
        self._stop.set()
        self._news.set()
        self._server.shutdown()
        self._server.server_close()
        self._sender.join()
        self._database.close()


class Later(Exception):
    """The desk could not take it now, or nobody knows whether it did."""

    def __init__(self, seconds):
        super().__init__(seconds)
        self.seconds = seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--desk", required=True, help="the desk's address: http://127.0.0.1:8080")
    parser.add_argument("--app", default="sample", help="the app's name in channels.api.apps")
    parser.add_argument("--listen", default="127.0.0.1:9000", help="where the desk's webhooks come")
    parser.add_argument("--database", default="chat.db")
    parser.add_argument("--contact", default="me", help="who types here")
    arguments = parser.parse_args()
    host, _, port = arguments.listen.rpartition(":")
    secret = os.environ.get("API_SECRET") or sys.exit("set API_SECRET to the app's secret (whsec_…)")
    client = Client(
        arguments.database,
        arguments.desk,
        arguments.app,
        secret,
        show=lambda contact, line: print(f"{contact} < {line}", flush=True),
    )
    print(f"listening at {client.start(host, int(port))}", flush=True)
    me, last = arguments.contact, None
    for line in sys.stdin:
        text = line.rstrip("\n")
        for message in client.screen(me):  # who types has read what stands there
            client.tells(me, message["id"], "read")
        if text.startswith("<") and text.endswith(">"):
            path = pathlib.Path(text[1:-1])
            kind = mimetypes.guess_type(path.name)[0] or ""
            try:
                content = path.read_bytes()
            except OSError as error:
                print(f"not sent: {error}", flush=True)
                continue
            last = client.says(me, "", files=[{"content": content, "name": path.name, "media_type": kind}])
        elif text.startswith("/press "):
            shown, number = client.screen(me), text.split()[-1]
            buttons = json.loads(shown[-1]["buttons"]) if shown else []
            if not number.isdecimal() or not 1 <= int(number) <= len(buttons):
                print("the last message has no such button", flush=True)
                continue
            button = buttons[int(number) - 1]
            client.presses(me, button["payload"], button["label"])
        elif text == "/undo" and last:
            client.takes_back(me, last)
        elif text:
            last = client.says(me, text)
    while client.unsent()[0]:
        time.sleep(0.1)
    client.stop()


if __name__ == "__main__":
    main()
