"""Mails with mistakes: of what a mail is made of, bytes, lines and parts are changed, lost, doubled and mixed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from email import policy
from email.message import EmailMessage

from benchmarks.email import generating

_BITS = (
    *(
        b"\x00",
        b"\r",
        b"\n",
        b"\r\n\r\n",
        b"=?",
        b"?=",
        b"=?utf-8?b?",
        b"=?gb2312?Q?=C4",
        b"\xff\xfe",
        b"\xc4\xe3\xba",
        b"=",
        b"=\r\n",
    ),
    *(
        b'Content-Type: multipart/mixed; boundary="x"\r\n',
        b"\r\n--x\r\n",
        b"\r\n--x--\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
    ),
    *(
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: uuencode\r\n",
        b"charset=",
        b"filename*0*=utf-8''%e4",
        b"From: ",
    ),
    *(
        b"<",
        b">",
        b'"',
        b"(",
        b"[",
        b":",
        b";",
        b",",
        b"@",
        b"<div>" * 50,
        b"> " * 50,
        b"a" * 3000,
        b"\xf0\x9f\x98\x80",
        b"\xed\xa0\x80",
    ),
    *(
        b"Date: Thu, 99 Foo 99999 99:99:99 +9999\r\n",
        b"BEGIN:VEVENT\r\nDTSTART:0\r\n",
        b"\x78\x9f\x3e\x22",
        b"Content-Type: application/ms-tnef\r\n",
    ),
)
_CHARSETS = (
    b"utf-8",
    b"gb2312",
    b"big5",
    b"shift_jis",
    b"iso-2022-jp",
    b"utf-7",
    b"utf-16",
    b"idna",
    b"punycode",
    b"base64",
    b"x-none",
    b"\xff",
)


def mutated(seed: int, count: int) -> Iterator[bytes]:
    draw = random.Random(seed)  # noqa: S311 - nothing secret
    sound = list(_sound(draw))
    for _ in range(count):
        raw = draw.choice(sound)
        for _ in range(draw.choice((1, 1, 2, 3, 8, 30))):
            raw = _mistake(draw, raw, sound)
        yield raw[:200_000]


def _sound(draw: random.Random) -> Iterator[bytes]:
    for client in ("Gmail", "QQ", "Outlook on the web", "163", "Apple Mail", "Samsung"):
        for language in ("zh", "en", "de", "ja"):
            made = generating.reply(draw, client, language)
            yield generating.raw(
                draw, made, sender="张三 <zhang@example.cn>", subject="Re: 提现", headers={"Message-ID": "<1@x>"}
            )
    yield whole()


def whole() -> bytes:
    """A mail with nearly everything that a mail may have."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = '"Müller, Jörg" <j.mueller@example.de>'
    message["To"] = "support@desk.example, 客服 <help@desk.example>"
    message["Cc"] = "friends: a@example.net, b@example.net;"
    message["Subject"] = "Rechnung für Straße / 请款单"
    message["Message-ID"] = "<whole@example.de>"
    message["References"] = "<a@example.de> <b@example.de>"
    message["Date"] = "Sat, 28 Nov 2026 10:13:00 +0100"
    message.set_content("Guten Tag,\n\nanbei.\n\n-- \nJörg\n", charset="iso-8859-1")
    message.add_alternative("<p>Guten Tag,<br><b>anbei</b> <img src='cid:logo'></p>", subtype="html")
    message.add_attachment(b"\x89PNG" + bytes(200), maintype="image", subtype="png", filename="截图.png")
    message.add_attachment(CALENDAR.encode(), maintype="text", subtype="calendar", filename="invite.ics")
    message.add_attachment(
        winmail([("报告.pdf", b"%PDF-1.4 x")]), maintype="application", subtype="ms-tnef", filename="winmail.dat"
    )
    inner = EmailMessage(policy=policy.SMTP)
    inner["From"] = "other@example.net"
    inner["Subject"] = "forwarded"
    inner.set_content("inner words")
    message.add_attachment(inner)
    return message.as_bytes()


CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261128T000000Z\r\n"
    "DTSTART;TZID=Asia/Shanghai:20261201T100000\r\nDTEND;TZID=Asia/Shanghai:20261201T110000\r\nSUMMARY:对账会议\r\n"
    "LOCATION:Room 3\r\nORGANIZER:mailto:li@example.cn\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def winmail(files: Sequence[tuple[str, bytes]], text: str = "") -> bytes:
    """A small ``winmail.dat``, with long names in UTF-16 as Outlook writes them."""

    def attribute(level: int, name: int, kind: int, data: bytes) -> bytes:
        head = bytes([level]) + name.to_bytes(2, "little") + kind.to_bytes(2, "little")
        return head + len(data).to_bytes(4, "little") + data + (sum(data) & 0xFFFF).to_bytes(2, "little")

    made = (
        (0x223E9F78).to_bytes(4, "little")
        + b"\x01\x00"
        + attribute(1, 0x9007, 6, (1252).to_bytes(4, "little") + bytes(4))
    )
    if text:
        made += attribute(1, 0x800C, 2, text.encode("cp1252", "replace") + b"\x00")
    for name, content in files:
        long = name.encode("utf-16-le") + b"\x00\x00"
        padded = long + bytes(-len(long) % 4)
        one = (1).to_bytes(4, "little")
        properties = (
            one
            + (0x001F).to_bytes(2, "little")
            + (0x3707).to_bytes(2, "little")
            + one
            + len(long).to_bytes(4, "little")
        )
        made += attribute(2, 0x9002, 6, bytes(14)) + attribute(2, 0x8010, 1, b"SHORT~1.BIN\x00")
        made += attribute(2, 0x800F, 6, content) + attribute(2, 0x9005, 6, properties + padded)
    return made


def _mistake(draw: random.Random, raw: bytes, sound: Sequence[bytes]) -> bytes:
    at = draw.randrange(len(raw) + 1)
    end = min(len(raw), at + draw.choice((1, 2, 10, 100, 1000)))
    match draw.randrange(9):
        case 0:
            return raw[:at] + raw[end:]
        case 1:
            return raw[:at] + draw.choice(_BITS) + raw[at:]
        case 2:
            return raw[:at] + bytes([draw.randrange(256)]) + raw[at + 1 :]
        case 3:
            return raw[:at] + raw[at:end] * draw.choice((2, 3, 20)) + raw[end:]
        case 4:
            return raw[:at]
        case 5:
            other = draw.choice(sound)
            cut = draw.randrange(len(other) + 1)
            return raw[:at] + other[cut : cut + 2000] + raw[end:]
        case 6:
            lines = raw.split(b"\r\n")
            first, second = draw.randrange(len(lines)), draw.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            return b"\r\n".join(lines)
        case 7:
            was, becomes = draw.choice(_CHARSETS[:5]), draw.choice(_CHARSETS)
            return raw.replace(was, becomes)
        case _:
            return (
                raw.replace(b"\r\n", draw.choice((b"\n", b"\r", b"\r\r\n", b"\r\n\r\n")))
                if draw.random() < 0.3
                else raw[at:] + raw[:at]
            )
