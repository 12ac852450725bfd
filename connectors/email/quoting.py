"""What of a mail's text its writer wrote now, what is quoted, and what is a signature. Nothing is lost: the pieces,
joined, are the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from connectors.email import clients

_MOST_LINES = 5_000
"""Beyond that line everything is quoted: nobody writes so much above what they answer."""
_LONGEST = 1_000
"""Characters of a line that are compared with what mail programs write."""
_WRAPPED = 4
"""Lines over which a program may break "On … wrote:"."""


class Kind(StrEnum):
    WRITTEN = "written"
    QUOTED = "quoted"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Piece:
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A text, taken apart."""

    pieces: tuple[Piece, ...]
    forwarded: bool = False
    """What is quoted is another mail that was passed on, and not what is answered."""

    @property
    def text(self) -> str:
        """All of it, as it was."""
        return "".join(piece.text for piece in self.pieces)

    def of(self, kind: Kind) -> str:
        return "".join(piece.text for piece in self.pieces if piece.kind is kind)

    @property
    def written(self) -> str:
        return self.of(Kind.WRITTEN).strip()


def take_apart(text: str) -> Taken:
    """Linear in the length of the text, and deterministic."""
    lines = text.splitlines(keepends=True)
    read = [_plain(line) for line in lines]
    kinds, forwarded = _marked(read)
    _sign(read, kinds)
    pieces: list[Piece] = []
    begin = 0
    for at in range(1, len(lines) + 1):
        if at == len(lines) or kinds[at] is not kinds[begin]:
            pieces.append(Piece(kinds[begin], "".join(lines[begin:at])))
            begin = at
    return Taken(tuple(pieces) if lines else (), forwarded)


def _plain(line: str) -> str:
    """The line as it is compared: one kind of blank, no marks that are not seen."""
    return clients.tidy(line[:_LONGEST]).rstrip()


def _marked(lines: list[str]) -> tuple[list[Kind], bool]:
    """Written and quoted lines."""
    kinds = [Kind.WRITTEN] * len(lines)
    at, forwarded = 0, False
    while at < len(lines):
        if at >= _MOST_LINES:
            kinds[at:] = [Kind.QUOTED] * (len(lines) - at)
            break
        if not lines[at]:
            at += 1
            continue
        if lines[at].startswith(">"):
            end = _run(lines, at)
            kinds[at:end] = [Kind.QUOTED] * (end - at)
            at = end
            continue
        opening = _opening(lines, at)
        if opening is None:
            at += 1
            continue
        end = opening.end
        forwarded |= opening.forward
        following = next((n for n in range(end, min(end + 4, len(lines))) if lines[n]), len(lines))
        if following < len(lines) and lines[following].startswith(">") and not opening.block:
            # Every line of the quotation is marked: what stands without a mark below was written.
            end = _run(lines, following)
            kinds[at:end] = [Kind.QUOTED] * (end - at)
            at = end
            continue
        if opening.sure:
            kinds[at:] = [Kind.QUOTED] * (len(lines) - at)
            break
        at = end
    return kinds, forwarded


def _run(lines: list[str], at: int) -> int:
    """The line after the last marked one. Blank lines within are of the quotation, and so is the rest of a marked "On …
    wrote:" that was broken on its way. Of other lines nobody can tell whether they are an answer."""
    end = at
    while at < len(lines):
        if lines[at].startswith(">"):
            end = at + 1
        elif lines[at]:
            if at != end or clients.attribution(f"{lines[at - 1]} {lines[at]}".lstrip("> ")) is None:
                break
            end = at + 1
        at += 1
    return end


@dataclass(frozen=True, slots=True)
class _Opening:
    """Lines of a mail program's above what it quotes."""

    end: int
    forward: bool = False
    block: bool = False
    """A block of headers: what follows is not marked."""
    sure: bool = True
    """It can be nothing else: what follows is quoted, marked or not."""


def _opening(lines: list[str], at: int) -> _Opening | None:
    line = lines[at]
    if separator := clients.separator(line):
        end = at + 1
        block = _headers(lines, _next(lines, end))
        if separator.needs_headers:
            return _Opening(block, separator.forward, block=True) if block else None
        return _Opening(block or end, separator.forward, block=block is not None)
    if block := _headers(lines, at):
        return _Opening(block, block=True)
    joined = ""
    for n in range(at, min(at + _WRAPPED, len(lines))):
        if not lines[n] or lines[n].startswith(">"):
            break
        joined = f"{joined} {lines[n]}".strip()
        if (found := clients.attribution(joined)) is not None:
            # The last line of what was written may stand right above: the shorter one that says it all counts.
            if any(clients.attribution(" ".join(lines[m : n + 1])) for m in range(at + 1, n + 1)):
                return None
            if not found and n + 1 < len(lines) and clients.attribution(f"{joined} {lines[n + 1]}"):
                return _Opening(n + 2)
            return _Opening(n + 1, sure=found)
        if n == at and not clients.may_begin(joined):
            break
    return None


def _next(lines: list[str], at: int) -> int:
    while at < len(lines) and not lines[at]:
        at += 1
    return at


def _headers(lines: list[str], at: int) -> int | None:
    """The line after a block of headers that begins there: sender, time, recipient, subject, in any order and language;
    at least three, or two of which one is the sender's address."""
    names: list[str] = []
    address = False
    end = gap = 0
    for n in range(at, min(at + 16, len(lines))):
        line = lines[n].lstrip("> ")
        name = clients.header(line)
        if name is None:
            if not line:
                gap += 1
                if gap > 2:
                    break
                continue
            # The rest of a long line, of recipients for instance; or the label stood alone, and this is its value.
            if (
                names
                and gap == 0
                and ("@" in line or n == end)
                and len(line) < 300
                and names[-1] in ("to", "cc", "from")
            ):
                address |= names[-1] == "from" and "@" in line
                end = n + 1
                continue
            break
        if name in names and name != "cc":
            break
        if names and gap > 1:
            break
        gap = 0
        names.append(name)
        address |= name == "from" and "@" in line
        end = n + 1
    known = set(names)
    if (
        names
        and names[0] in ("from", "date", "subject", "to")
        and "from" in known
        and known & {"date", "to", "subject"}
    ):
        return end if len(known) >= 3 or address else None
    return None


def _sign(lines: list[str], kinds: list[Kind]) -> None:
    """Signatures, at the end of each stretch that was written."""
    for begin, end in list(_stretches(kinds)):
        _sign_stretch(lines, kinds, begin, end)


def _stretches(kinds: list[Kind]) -> Iterator[tuple[int, int]]:
    begin = 0
    for at in range(1, len(kinds) + 1):
        if at == len(kinds) or kinds[at] is not kinds[begin]:
            if kinds[begin] is Kind.WRITTEN:
                yield begin, at
            begin = at


def _sign_stretch(lines: list[str], kinds: list[Kind], begin: int, end: int) -> None:
    first = end
    for at in range(begin, end):
        if clients.is_delimiter(lines[at]) and end - at <= 40:
            first = at
            break
    # Foxmail has a line across the page above its owner's address, and nothing but the quotation below.
    for at in range(max(begin + 1, first - 8), first):
        below = lines[at + 1 : first]
        if clients.is_rule(lines[at]) and "@" in "".join(below) and all(len(line) < 80 for line in below):
            first = at
            break
    # What programs add stands last, with nothing below it but blanks and lines across the page.
    at = first - 1
    while at >= begin:
        if clients.is_added(lines[at]):
            first = at
        elif lines[at] and not clients.is_rule(lines[at]):
            break
        at -= 1
    kinds[first:end] = [Kind.SIGNATURE] * (end - first)
