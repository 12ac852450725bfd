"""Mails that say of another one that it did not arrive, or not yet."""

from __future__ import annotations

import re
from email.message import Message

from flufl.bounce import all_failures

from connectors.email import headers
from connectors.email.mail import Bounce

_MOST = 100_000
"""Bytes of a report that are looked through: what was returned, with all its files, stands behind it."""
_MOST_BLOCKS = 400
"""Paragraphs: one for each address, and the detectors take time for each."""
_MOST_ADDRESSES = 50
_DAEMONS = re.compile(r"^(?:mailer-daemon|postmaster|mail-daemon|mdaemon|mailer|mail\.delivery)\b", re.IGNORECASE)
_RETURNED = re.compile(r"^[> \t]*message-id:\s*(<[^<>\s]{1,900}>)", re.IGNORECASE | re.MULTILINE)
_REASONS = (
    re.compile(r"^diagnostic-code:\s*(?:smtp|x-[\w-]+)?\s*;?\s*(.{3,400})", re.IGNORECASE | re.MULTILINE),
    re.compile(r"((?:^|\b)[45]\d\d[ -][45]\.\d{1,3}\.\d{1,3}.{0,400})", re.MULTILINE),
    re.compile(r"^status:\s*([245]\.\d.{0,100})", re.IGNORECASE | re.MULTILINE),
)


def looks_like_one(message: Message, sender: str, return_path: str) -> bool:
    kind = message.get_content_type()
    if kind == "multipart/report":
        return str(message.get_param("report-type") or "delivery-status").lower() == "delivery-status"
    return (
        return_path.strip() == "<>"
        or _DAEMONS.match(sender) is not None
        or message.get("x-failed-recipients") is not None
    )


def beginning(raw: bytes) -> bytes:
    """What is looked through of a report."""
    blocks = re.split(rb"(\r?\n\r?\n)", raw[:_MOST], maxsplit=_MOST_BLOCKS)
    return b"".join(blocks[: 2 * _MOST_BLOCKS])


def read(message: Message) -> Bounce | None:
    """What the report says, or None if it names nobody. It may be forged: act on it only where ``returned`` is an id of
    ours (``threads.Signing.thread_of``)."""
    try:
        delayed, failed = (_addresses(found) for found in all_failures(message))
    except Exception:  # its detectors trust what they read
        delayed, failed = (), ()
    failed = failed or _addresses(one.address for one in headers.addresses(str(message.get("x-failed-recipients", ""))))
    if not failed and not delayed:
        return None
    text = message.as_bytes().decode("utf-8", "replace")
    own = headers.message_id(str(message.get("message-id", "")))
    returned = next((one for one in _RETURNED.findall(text) if one != own), "")
    reason = next((match[1] for one in _REASONS if (match := one.search(text))), "")
    return Bounce(failed, tuple(one for one in delayed if one not in failed), returned, " ".join(reason.split()))


def _addresses(found: object) -> tuple[str, ...]:
    texts: set[str] = set()
    for one in found:  # type: ignore[attr-defined]
        text = (one.decode("ascii", "replace") if isinstance(one, bytes) else str(one)).strip().strip("<>").lower()
        if "@" in text and len(text) <= 320:
            texts.add(text)
    return tuple(sorted(texts)[:_MOST_ADDRESSES])
