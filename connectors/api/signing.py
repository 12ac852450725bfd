"""Who says it: signatures as Standard Webhooks has them (https://www.standardwebhooks.com), in both directions.

The signature is HMAC-SHA256 of ``<webhook-id>.<webhook-timestamp>.<body>``. What is older or newer than five minutes is
refused; what is repeated within them has an id that is known.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks import Webhook

from connectors.api.settings import old_variable, variable

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret, as the standard has it."""
WINDOW = 300
"""Seconds."""
ID = re.compile(r"[\x21-\x7e]{1,128}")
FILE_KEPT = 24 * 3600
"""Seconds within which an uploaded file is to be named by a message; the desk keeps it a day longer."""


class BadSecret(ValueError):
    """A secret that is none; the message names the fix."""


class Unsigned(Exception):
    """Nobody knows who sent it; the message says what is wrong with the signature."""


class NoFile(ValueError):
    """What names a file names none of this app's; the message says why."""


class Keys:
    """The secrets of one app: the one that it has, and the one that it had."""

    def __init__(self, app: str, secrets: Mapping[str, str]) -> None:
        """``secrets`` by environment variable. Raises ``BadSecret``."""
        self._app = app
        named = {name: secrets[name] for name in (variable(app), old_variable(app)) if name in secrets}
        self._keys = [_key(name, value) for name, value in named.items()]
        self._signers = [Webhook(key) for key in self._keys]

    def __bool__(self) -> bool:
        """Whether the app can be known at all."""
        return bool(self._keys)

    def signed(self, id: str, body: str) -> dict[str, str]:
        """The headers of what is sent now. Signed with both secrets, it is good for an app that has either."""
        now = datetime.now(UTC)
        return {
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signer.sign(id, now, body) for signer in self._signers),
        }

    @staticmethod
    def check_headers(headers: Mapping[str, str]) -> str:
        """The id of what comes, before its body is read. Raises ``Unsigned``."""
        id, sent, signature = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
        if not (id and sent and signature):
            raise Unsigned("the headers webhook-id, webhook-timestamp and webhook-signature are needed")
        if not ID.fullmatch(id):
            raise Unsigned("webhook-id has 1 to 128 visible ASCII characters without a blank")
        if not re.fullmatch(r"\d{1,12}", sent, re.ASCII):
            raise Unsigned("webhook-timestamp is the Unix time in whole seconds")
        late = int(time.time()) - int(sent)
        if abs(late) > WINDOW:
            kind = "old" if late > 0 else "early"
            raise Unsigned(
                f"webhook-timestamp is {abs(late)} seconds too {kind} (the limit is {WINDOW}): set the clock, and make"
                " the timestamp and the signature anew for every try"
            )
        return id

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises ``Unsigned``."""
        for signer in self._signers:
            try:
                signer.verify(body, dict(headers), json_parse=False)
            except Exception:  # noqa: S112 - the library lets through what a malformed signature raises
                continue
            return
        raise Unsigned(
            "no signature fits: HMAC-SHA256 of webhook-id.webhook-timestamp.body, the body byte for byte as it is sent,"
            " with the bytes that the secret stands for behind whsec_ (base64), as v1,<base64>"
        )

    # --- files

    def name_file(self, sha256: str, size: int) -> str:
        """By what the app names a file that it uploaded: nobody else can make such a name."""
        said = f"{sha256}.{size}.{int(time.time()) + FILE_KEPT}"
        return f"{said}.{_mac(self._keys[0], self._app, said)}"

    def file(self, name: str) -> tuple[str, int]:
        """SHA-256 and size of what is named so. Raises ``NoFile``."""
        said, _, mac = name.rpartition(".")
        if not any(hmac.compare_digest(_mac(key, self._app, said).encode(), mac.encode()) for key in self._keys):
            raise NoFile("this names no file that the app uploaded; it is what POST …/files answered as file")
        sha256, size, until = said.split(".")
        if time.time() > int(until):
            raise NoFile("the file was uploaded more than 24 hours ago; upload it again")
        return sha256, int(size)


def _mac(key: bytes, app: str, said: str) -> str:
    return hmac.new(key, f"file.{app}.{said}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


def _key(name: str, secret: str) -> bytes:
    try:
        if not secret.startswith(PREFIX):
            raise ValueError
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not SHORTEST <= len(key) <= LONGEST:
        raise BadSecret(
            f"{name} is no secret: it is {PREFIX} and then {SHORTEST} to {LONGEST} random bytes in base64;"
            " `switchboard api new-secret` makes one"
        )
    return key
