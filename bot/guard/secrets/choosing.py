"""From everything that the searches found to what is removed: no overlaps, and each place once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.guard.secrets.finding import Certainty, Finding, SecretKind, Span

_SURENESS = {certainty: place for place, certainty in enumerate(Certainty)}


def chosen(findings: Iterable[Finding], lengths: Sequence[int]) -> list[Finding]:
    """Findings by position. Those of one kind that overlap are one; of two kinds the one that was found first has the
    place, and the other what it covers beside it. ``lengths`` are those of the messages."""
    by_kind: dict[SecretKind, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    taken = [bytearray(length) for length in lengths]
    kept: list[Finding] = []
    for several in by_kind.values():
        for finding in _joined(several):
            spans = tuple(part for span in finding.spans for part in _free(taken[span.message], span))
            for span in spans:
                taken[span.message][span.start : span.end] = b"\x01" * (span.end - span.start)
            if spans:
                kept.append(finding if spans == finding.spans else Finding(finding.kind, spans, finding.certainty))
    return sorted(kept, key=lambda finding: (finding.spans[0].message, finding.spans[0].start))


def _joined(findings: Sequence[Finding]) -> list[Finding]:
    """Of one kind: those that share a place are one."""
    if len(findings) == 1:
        return list(findings)
    group = list(range(len(findings)))

    def head(place: int) -> int:
        while group[place] != place:
            group[place] = group[group[place]]
            place = group[place]
        return place

    spans = sorted(
        (span.message, span.start, span.end, place) for place, finding in enumerate(findings) for span in finding.spans
    )
    message, reach, owner = -1, 0, 0
    for of_message, start, end, place in spans:
        if of_message == message and start < reach:
            group[head(place)] = head(owner)
            reach = max(reach, end)
        else:
            message, reach, owner = of_message, end, place
    groups: dict[int, list[Finding]] = {}
    for place, finding in enumerate(findings):
        groups.setdefault(head(place), []).append(finding)
    return [some[0] if len(some) == 1 else _one(some) for some in groups.values()]


def _one(some: Sequence[Finding]) -> Finding:
    return Finding(some[0].kind, _united(some), min((one.certainty for one in some), key=_SURENESS.__getitem__))


def _united(findings: Iterable[Finding]) -> tuple[Span, ...]:
    united: list[Span] = []
    for span in sorted(
        (span for finding in findings for span in finding.spans), key=lambda span: (span.message, span.start)
    ):
        last = united[-1] if united else None
        if last and last.message == span.message and span.start < last.end:
            united[-1] = Span(span.message, last.start, max(last.end, span.end))
        else:
            united.append(span)
    return tuple(united)


def _free(taken: bytearray, span: Span) -> list[Span]:
    """The parts of the span that nothing has yet."""
    parts, place = [], span.start
    while place < span.end:
        start = taken.find(0, place, span.end)
        if start < 0:
            break
        end = taken.find(1, start, span.end)
        place = span.end if end < 0 else end
        parts.append(Span(span.message, start, place))
    return parts
