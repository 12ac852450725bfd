"""Raw bytes as a mail. ``read`` never raises and never gives back less than could be read: what is wrong with a mail is
among its ``problems``, and whoever keeps the raw file has the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Compat32
from typing import TypeVar

from bot.domain.characters import shows
from connectors.email import bounces, headers, invitations, markup, winmail
from connectors.email.charsets import decode
from connectors.email.mail import Address, Invitation, Mail, MailFile, Problem

MOST_BYTES = 25 * 1024 * 1024
MOST_PARTS = 500
DEEPEST_PART = 12
DEEPEST_MAIL = 3
"""How far mails within mails are followed; below, they are files."""
MOST_TEXT = 1_000_000
"""Characters of text."""
_MOST_WORK = 6_000_000
"""Lines times levels: the parser compares each line with every boundary around it."""
_MOST_LINES = 700_000
"""25 MB in the shortest lines that programs write for a file are 430,000."""
_MOST_LEVELS = 150
_MOST_BOUNDARIES = 5_000
_MOST_CONTENT = 3_000
"""Characters of a ``Content-`` header."""
_BOUNDARY = re.compile(rb"boundary\s*=\s*\"?([^\";\s]{1,200})", re.IGNORECASE)
_LEVEL = re.compile(rb"(?:multipart|message)/", re.IGNORECASE)
_SIGNATURES = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})
_SEALED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted"})
_RETURNED_HEADERS = frozenset({"text/rfc822-headers", "message/delivery-status", "message/disposition-notification"})
_BAD_NAME = re.compile(r"[\x00-\x1f\x7f/\\]+")

Found = TypeVar("Found")


def read(raw: bytes) -> Mail:
    """All that could be read of it."""
    # The last of several nets: whatever happens, the mail becomes a case, with its raw file.
    mail = _quietly(lambda: _read(raw), None)
    if mail is not None and (mail.headers or mail.text or mail.html or mail.files or mail.nested or not raw.strip()):
        return mail
    return Mail(text=decode(raw[:MOST_TEXT])[0], problems=frozenset({Problem.UNREADABLE}), size=len(raw))


def _read(raw: bytes) -> Mail:
    problems: set[Problem] = set()
    if len(raw) > MOST_BYTES:
        problems.add(Problem.TOO_LARGE)
    kept = raw[:MOST_BYTES]
    message = None
    if not _too_much(kept):
        try:
            message = BytesParser(policy=BOUNDED).parsebytes(kept)
        except (RecursionError, ValueError, TypeError, LookupError, IndexError, AttributeError):
            message = None
    if message is None:
        # Its headers, and what follows as text: enough for a person to see what it is.
        problems.add(Problem.TOO_NESTED)
        message = BytesHeaderParser(policy=BOUNDED).parsebytes(kept[:MOST_TEXT])
        del message["content-type"]
    mail = _mail(message, kept, 0)
    return replace(mail, size=len(raw), problems=mail.problems | problems)


def _too_much(raw: bytes) -> bool:
    """Whether the standard parser would take very long: its time grows with lines times levels, and with parts."""
    levels = sum(1 for _ in zip(_LEVEL.finditer(raw), range(_MOST_LEVELS + 1), strict=False))
    lines = raw.count(b"\n") + raw.count(b"\r")
    if levels > _MOST_LEVELS or lines > _MOST_LINES or lines * (levels + 1) > _MOST_WORK:
        return True
    # A delivery report is taken apart into one message for each address.
    if re.search(rb"message/delivery-status", raw, re.IGNORECASE) and (
        raw.count(b"\n\n") + raw.count(b"\r\n\r\n") > _MOST_BOUNDARIES
    ):
        return True
    boundaries = {one for _, one in zip(range(_MOST_LEVELS), _BOUNDARY.findall(raw), strict=False)}
    return sum(raw.count(b"--" + one) for one in boundaries) > _MOST_BOUNDARIES


class _Message(Message):
    """Keeps the first headers of very many."""

    _kept = 0

    def set_raw(self, name: str, value: str) -> None:
        self._kept += 1
        if self._kept <= headers.MOST_HEADERS:
            super().set_raw(name, value)


class _Bounded(Compat32):
    """Keeps the beginning of very long headers: the standard library takes quadratic time for some of them."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name[:200], value[: _MOST_CONTENT if name[:8].lower() == "content-" else headers.MOST_LENGTH * 5]


BOUNDED = _Bounded(message_factory=_Message)


def _mail(message: Message, raw: bytes | None, depth: int) -> Mail:
    reader = _Reader(depth)
    lines, sure = _headers(message)
    if not sure:
        reader.problems.add(Problem.CHARSET)
    raw_lines = _raw(message)
    senders = _addresses(raw_lines, "from")
    if not senders:
        reader.problems.add(Problem.NO_SENDER)
    elif len({one.key for one in senders}) > 1:
        reader.problems.add(Problem.SEVERAL_SENDERS)
    body = _quietly(lambda: reader.body(message, 0), _Body())
    if not shows(body.text) and reader.winmail_text:
        body = _Body(reader.winmail_text, reader.winmail_html)
    if message.defects and any(type(one).__name__ not in _HARMLESS for one in message.defects):
        reader.problems.add(Problem.BROKEN)
    values = dict(reversed(lines))
    date = headers.moment(values.get("date", ""))
    if date is None:
        reader.problems.add(Problem.NO_DATE)
    bounce = None
    sender = senders[0].address if senders else ""
    if raw is not None and _quietly(
        lambda: bounces.looks_like_one(message, sender, values.get("return-path", "")), False
    ):
        bounce = _quietly(lambda: bounces.read(BytesParser(policy=BOUNDED).parsebytes(bounces.beginning(raw))), None)
    return Mail(
        senders=senders,
        reply_to=_addresses(raw_lines, "reply-to"),
        to=_addresses(raw_lines, "to"),
        cc=_addresses(raw_lines, "cc"),
        delivered_to=_addresses(raw_lines, "delivered-to", "x-original-to", "envelope-to", "x-forwarded-to"),
        subject=values.get("subject", "")[:1000],
        message_id=headers.message_id(values.get("message-id", "")),
        in_reply_to=headers.ids(values.get("in-reply-to", "")),
        references=headers.ids(" ".join(value for name, value in lines if name == "references")),
        date=date,
        text=body.text[:MOST_TEXT],
        html=body.html[: markup.MOST_HTML],
        files=tuple(reader.files),
        invitations=tuple(reader.invitations),
        nested=tuple(reader.nested),
        bounce=bounce,
        headers=lines,
        problems=frozenset(reader.problems | ({Problem.TOO_LARGE} if len(body.text) > MOST_TEXT else set())),
    )


_HARMLESS = frozenset({"MultipartInvariantViolationDefect", "InvalidHeaderDefect", "HeaderMissingRequiredValue"})


@dataclass(slots=True)
class _Body:
    text: str = ""
    html: str = ""
    file: bool = False
    """It went among the files, and has no text of its own."""


@dataclass(slots=True)
class _Reader:
    """Walks one mail's parts."""

    depth: int
    problems: set[Problem] = field(default_factory=set)
    files: list[MailFile] = field(default_factory=list)
    invitations: list[Invitation] = field(default_factory=list)
    nested: list[Mail] = field(default_factory=list)
    winmail_text: str = ""
    winmail_html: str = ""
    parts: int = 0

    def body(self, part: Message, level: int) -> _Body:
        self.parts += 1
        if self.parts > MOST_PARTS:
            self.problems.add(Problem.TOO_MANY_PARTS)
            return _Body(file=True)
        for defect in part.defects:
            if type(defect).__name__ not in _HARMLESS:
                self.problems.add(Problem.BROKEN)
        kind = part.get_content_type()
        if kind.startswith("multipart/") and part.is_multipart():
            return self._several(part, kind, level)
        if kind == "message/rfc822" and part.is_multipart():
            self._mail(part)
            return _Body(file=True)
        if part.is_multipart():
            self._report(part, kind)
            return _Body(file=True)
        return self._leaf(part, kind)

    def _several(self, part: Message, kind: str, level: int) -> _Body:
        children = [one for one in part.get_payload() if isinstance(one, Message)]
        if kind == "multipart/encrypted":
            self.problems.add(Problem.ENCRYPTED)
        if level >= DEEPEST_PART:
            self.problems.add(Problem.TOO_NESTED)
            data = _quietly(part.as_bytes, b"")
            self.files.append(MailFile("part.eml", "message/rfc822", data))
            return _Body(file=True)
        bodies = [one for one in (self.body(child, level + 1) for child in children) if not one.file]
        if kind == "multipart/alternative":
            html = next((one.html for one in reversed(bodies) if one.html), "")
            # Some programs send an empty plain part beside the HTML that has everything.
            text = next((one.text for one in bodies if shows(one.text) is True), "")
            return _Body(text, html) if bodies else _Body(file=True)
        joined = _Body(file=not bodies)
        for one in bodies:
            joined.text = _joined(joined.text, one.text)
            joined.html = f"{joined.html}\n{one.html}" if joined.html and one.html else joined.html or one.html
        # Pieces of text among pieces of HTML: the HTML alone would not have them all.
        if joined.html and any(one.text and not one.html for one in bodies):
            joined.html = ""
            self.problems.add(Problem.NO_HTML)
        return joined

    def _leaf(self, part: Message, kind: str) -> _Body:
        name = _name(part)
        disposition = str(_quietly(part.get_content_disposition, None) or "")
        data = _content(part)
        if kind in _SEALED:
            self.problems.add(Problem.ENCRYPTED)
        if kind == "application/ms-tnef" or (name.lower() == "winmail.dat" and kind.startswith("application/")):
            return self._winmail(data, name)
        if kind in ("text/calendar", "application/ics") and self._calendar(part, data, name):
            return _Body(file=True)
        if kind in ("text/plain", "text/html") and disposition != "attachment" and not name:
            return self._text(part, kind, data)
        if not (data or name):
            return _Body(file=True)
        content_id = str(_quietly(lambda: part.get("content-id"), None) or "").strip().strip("<>")[:500]
        inline = disposition == "inline" or (bool(content_id) and disposition != "attachment")
        self.files.append(MailFile(name or _unnamed(kind), kind, data, content_id, inline and kind not in _SIGNATURES))
        return _Body(file=True)

    def _text(self, part: Message, kind: str, data: bytes) -> _Body:
        charset = _quietly(part.get_content_charset, None)
        if kind == "text/html" and not charset:
            declared = re.search(rb"<meta[^>]{0,200}charset=[\"']?([\w-]{2,40})", data[:4000], re.IGNORECASE)
            charset = declared[1].decode() if declared else None
        text, sure = decode(data[: MOST_TEXT * 4], charset)
        if not sure:
            self.problems.add(Problem.CHARSET)
        if kind == "text/html":
            if len(text) > markup.MOST_HTML:
                self.problems.add(Problem.TOO_LARGE)
            if markup.too_deep(text):
                self.problems.add(Problem.NO_HTML)
                return _Body(markup.to_text(text)[0])
            return _Body(markup.to_text(text)[0], text)
        if _parameter(part, "format") == "flowed":
            text = unflowed(text, _parameter(part, "delsp") == "yes")
        return _Body(text)

    def _winmail(self, data: bytes, name: str) -> _Body:
        found = winmail.read(data)
        self.files += found.files
        text = found.text or (markup.to_text(found.html)[0] if found.html else "")
        # One with formatted text alone (RTF), or with an entry of an address book, stays a file.
        if not found.whole or not (text or found.files):
            self.problems.add(Problem.WINMAIL)
            self.files.append(MailFile(name or "winmail.dat", "application/ms-tnef", data))
        self.winmail_text = self.winmail_text or text
        self.winmail_html = self.winmail_html or found.html
        return _Body(file=True)

    def _calendar(self, part: Message, data: bytes, name: str) -> bool:
        """Whether it is in words now; else it is among the files."""
        text, _ = decode(data, _quietly(part.get_content_charset, None))
        found = invitations.read(text)
        if not found:
            self.problems.add(Problem.CALENDAR)
            return False
        for one in found:
            if one not in self.invitations:  # Google sends each twice, the second time as a file
                self.invitations.append(one)
        if not name:
            return True
        self.files.append(MailFile(name, "text/calendar", data))
        return True

    def _mail(self, part: Message) -> None:
        inner = part.get_payload(0)
        if not isinstance(inner, Message):
            return
        if self.depth >= DEEPEST_MAIL or len(self.nested) >= MOST_PARTS:
            self.problems.add(Problem.TOO_NESTED)
            data = _quietly(inner.as_bytes, b"")
            self.files.append(MailFile(_name(part) or "message.eml", "message/rfc822", data))
            return
        self.nested.append(_mail(inner, None, self.depth + 1))

    def _report(self, part: Message, kind: str) -> None:
        data = _quietly(
            lambda: b"\n".join(one.as_bytes() for one in part.get_payload() if isinstance(one, Message)), b""
        )
        self.files.append(MailFile("report.txt" if kind in _RETURNED_HEADERS else "part.eml", kind, data))


def unflowed(text: str, delete_space: bool = False) -> str:
    """``format=flowed`` (RFC 3676): lines that end in a blank go on in the next one of the same depth of quotation."""
    lines: list[list[str]] = []
    depth, open_line = 0, False
    for line in text.split("\n"):
        marks = len(line) - len(line.lstrip(">"))
        words = line[marks:].removeprefix(" ")
        flows = words.endswith(" ") and words != "-- "
        kept = words[:-1] if flows and delete_space else words
        if open_line and marks == depth and words != "-- ":
            lines[-1].append(kept)
        else:
            lines.append([f"{'>' * marks} {kept}" if marks else kept])
        depth, open_line = marks, flows
    return "\n".join("".join(line) for line in lines)


def _joined(first: str, second: str) -> str:
    if not first or not second:
        return first or second
    return f"{first}{'' if first.endswith(chr(10)) else chr(10)}{second}"


def _raw(message: Message) -> list[tuple[str, str]]:
    """Headers as they came, bytes beyond ASCII as lone surrogates."""
    found = []
    for name, value in list(message.raw_items())[: headers.MOST_HEADERS]:
        found.append((str(name).strip().lower()[:100], re.sub(r"[\r\n]+", "", str(value))))
    return found


def _headers(message: Message) -> tuple[tuple[tuple[str, str], ...], bool]:
    all_sure = True
    found = []
    for name, value in _raw(message):
        text, sure = headers.words(value)
        all_sure &= sure
        found.append((headers.words(name)[0], text))
    return tuple(found), all_sure


def _addresses(lines: Iterable[tuple[str, str]], *names: str) -> tuple[Address, ...]:
    found = (one for name, value in lines if name in names for one in headers.addresses(value))
    return tuple(dict.fromkeys(found))[: headers.MOST_ADDRESSES]


def _content(part: Message) -> bytes:
    data = _quietly(lambda: part.get_payload(decode=True), None)
    if isinstance(data, bytes):
        return data
    return _quietly(lambda: str(part.get_payload()).encode("utf-8", "surrogateescape"), b"")


def _parameter(part: Message, name: str) -> str:
    """A parameter of the content type, in small letters."""
    return _quietly(lambda: str(part.get_param(name) or ""), "").lower()


def _name(part: Message) -> str:
    raw = _quietly(part.get_filename, None)
    if not raw:
        return ""
    text = headers.words(str(raw))[0]
    return _BAD_NAME.sub("_", text).strip(" .")[:200]


def _unnamed(kind: str) -> str:
    main, _, sub = kind.partition("/")
    return f"{main}.{sub}" if re.fullmatch(r"[a-z0-9]{2,6}", sub) else main


def _quietly(ask: Callable[[], Found], instead: Found) -> Found:
    """What the standard library says, or ``instead`` where a mail's mistakes make it raise."""
    try:
        return ask()
    except Exception:
        return instead
