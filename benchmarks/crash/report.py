"""What a campaign found, as Markdown, as a picture, and in the documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from html import escape
from math import log10
from pathlib import Path

from benchmarks.crash.audit import KEYLESS, Tally
from benchmarks.crash.outcome import MOVED, Outcome
from benchmarks.crash.points import places
from benchmarks.crash.schedule import CUT, DESK, DISCORD, FREEZE, KILL, POSTGRESQL, RASA, RESTART, TELEGRAM, WEB
from bot.settings import ROOT

PICTURE = "crash-campaign.svg"
_BEGIN, _END = "<!-- the campaign: begin -->", "<!-- the campaign: end -->"

_ROWS: tuple[tuple[str, Callable[[Tally], int]], ...] = (
    ("Customers' messages", lambda t: t.sent),
    ("recorded", lambda t: t.recorded),
    ("**lost**", lambda t: t.lost),
    ("**recorded twice**", lambda t: t.recorded_twice),
    ("Turns taken, one a message", lambda t: t.turned),
    ("of them silent: a human had the chat", lambda t: t.silent),
    ("of them without a word: read with the customer's next message", lambda t: t.gathered),
    ("of them without a word: a human took over meanwhile", lambda t: t.outrun),
    ("Messages to customers", lambda t: t.answers + t.replies + t.notices),
    ("answers of the bot", lambda t: t.answers),
    ("replies of agents", lambda t: t.replies),
    ("notices of the desk", lambda t: t.notices),
    ("**not delivered**", lambda t: t.undelivered),
    ("**out of order**, by chat", lambda t: t.disordered),
    ("**seen twice**", lambda t: t.doubled),
    ("possible doubles that the desk knows of", lambda t: t.possible_doubles),
)


def summary(outcome: Outcome) -> str:
    """The whole report as Markdown."""
    return "\n".join(
        [
            *_headline(outcome),
            "",
            *_accounts(outcome),
            "",
            *_faults(outcome),
            "",
            *_figures(outcome),
            *_failures(outcome),
        ]
    )


def _headline(outcome: Outcome) -> Iterator[str]:
    plan, account = outcome.plan, outcome.account
    doubled = sum(t.doubled for name, t in account.channels.items() if name not in KEYLESS)
    verdict = "passed" if not outcome.violations else f"FAILED, with {len(outcome.violations)} violations"
    yield (
        f"Seed {plan.seed}, {plan.replicas} replica{'s' if plan.replicas > 1 else ''}: {verdict}."
        f" {len(outcome.kills())} kills, {account.total('sent')} customers' messages and {account.agents_replies}"
        f" agents' replies: **{account.total('lost') + account.total('undelivered')} lost,"
        f" {account.total('disordered')} out of order, {doubled} doubled** where the platform can tell."
    )
    yield ""
    yield f"`{plan.command}`"


def _accounts(outcome: Outcome) -> Iterator[str]:
    names = sorted(outcome.account.channels)
    yield "| | " + " | ".join(_shown(name) for name in names) + " | all |"
    yield "|---|" + "---:|" * (len(names) + 1)
    for title, figure in _ROWS:
        figures = [figure(outcome.account.channels[name]) for name in names]
        yield f"| {title} | " + " | ".join(f"{one:,}" for one in (*figures, sum(figures))) + " |"


def _shown(channel: str) -> str:
    return channel if channel == WEB else channel.capitalize()


def _faults(outcome: Outcome) -> Iterator[str]:
    """How often what was struck, as far as it really was."""
    hit = Counter((one.fault.deed, one.fault.victim, one.at_point) for one in outcome.struck if one.hit)
    moved = sum(one.outcome == MOVED for one in outcome.struck)
    yield "| | killed (`kill -9`) | frozen (SIGSTOP) | cut |"
    yield "|---|---:|---:|---:|"
    for title, victim, at_point in (
        ("a desk, at a named place", DESK, True),
        ("a desk, at any moment", DESK, False),
        ("Rasa", RASA, False),
        ("PostgreSQL", POSTGRESQL, False),
        ("Telegram's connection", TELEGRAM, False),
        ("Discord's connection", DISCORD, False),
        ("browsers' connections", WEB, False),
    ):
        yield (
            f"| {title} | " + " | ".join(str(hit[deed, victim, at_point] or "") for deed in (KILL, FREEZE, CUT)) + " |"
        )
    restarts = sum(one.fault.deed == RESTART for one in outcome.struck)
    struck = {one.fault.place for one in outcome.struck if one.at_point}
    everywhere = {f"{side} {point}" for side, point in places()}
    yield ""
    missing = sorted(everywhere - struck)
    yield (
        f"Struck at {len(struck)} of {len(everywhere)} named places"
        f"{' (not ' + ', '.join(missing) + ')' if 0 < len(missing) < 10 else ''}."
        f" {moved} times no desk came by in time, and one was struck where it was."
        f" {restarts} times all desks were restarted in order, one by one."
    )


def _figures(outcome: Outcome) -> Iterator[str]:
    delays = sorted(delay for tally in outcome.account.channels.values() for _, delay in tally.answered)
    if delays:
        yield (
            f"From record to answer: half within {delays[len(delays) // 2]:.2f} s,"
            f" 99 % within {delays[int(len(delays) * 0.99)]:.1f} s, all within {delays[-1]:.1f} s."
        )
    if outcome.takeovers:
        yield (
            f"Of {len(outcome.takeovers)} desks that were frozen while they held a lease another one had it after"
            f" {max(outcome.takeovers):.1f} s at most, whatever was killed besides;"
            f" the first one, alone, after {outcome.takeovers[0]:.1f} s."
        )
    terms = ", ".join(f"{name.capitalize()}'s {count} times" for name, count in sorted(outcome.account.leases.items()))
    yield (
        f"Leases changed hands: {terms}. {len(outcome.starts)} desks were started, in"
        f" {sum(outcome.starts) / max(1, len(outcome.starts)):.1f} s on average. Agents claimed {outcome.claims} times,"
        f" were too late {outcome.lost_claims} times, and {outcome.doubts} times did not hear what became of a reply."
        f" {outcome.seconds:.0f} s of messages; {outcome.settled:.0f} s later all was done."
    )


def _failures(outcome: Outcome) -> Iterator[str]:
    if outcome.violations:
        yield ""
        yield "Violations:"
        yield ""
    for violation in outcome.violations:
        yield f"- {violation}"


def write(outcome: Outcome, out: Path, *, docs: bool) -> None:
    """``report.md`` and the picture in ``out``; with ``docs`` in docs/reliability.md too."""
    out.mkdir(parents=True, exist_ok=True)
    text, drawn = summary(outcome), picture(outcome)
    struck = sorted(outcome.struck, key=lambda one: one.at)
    lines = [f"{one.at:8.1f}  {one.fault.deed} {one.fault.victim}, {one.fault.how}  {one.outcome}" for one in struck]
    (out / "report.md").write_text(text + "\n", encoding="utf-8")
    (out / "faults.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (out / PICTURE).write_text(drawn, encoding="utf-8")
    if docs:
        page = ROOT / "docs" / "reliability.md"
        before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
        _, _, after = rest.partition(_END)
        page.write_text(
            f"{before}{_BEGIN}\n{text}\n\n![Every answer's delay, and every fault](images/{PICTURE})\n{_END}{after}",
            encoding="utf-8",
        )
        (ROOT / "docs" / "images" / PICTURE).write_text(drawn, encoding="utf-8")


# --- the picture ----------------------------------------------------------------------------------

_WIDTH, _LEFT, _RIGHT, _TOP, _HEIGHT = 960, 140, 16, 40, 260
_LANE = 18
_LANES = (
    ("desk killed", KILL, DESK, "#c62828"),
    ("Rasa killed", KILL, RASA, "#c62828"),
    ("PostgreSQL killed", KILL, POSTGRESQL, "#c62828"),
    ("desk frozen", FREEZE, DESK, "#1565c0"),
    ("Rasa frozen", FREEZE, RASA, "#1565c0"),
    ("PostgreSQL frozen", FREEZE, POSTGRESQL, "#1565c0"),
    ("Telegram cut", CUT, TELEGRAM, "#6a1b9a"),
    ("Discord cut", CUT, DISCORD, "#6a1b9a"),
    ("browsers cut", CUT, WEB, "#6a1b9a"),
    ("PostgreSQL cut", CUT, POSTGRESQL, "#6a1b9a"),
)
_INKS = {"telegram": "#0288d1", "discord": "#5e35b1", "web": "#2e7d32"}
_LOWEST, _HIGHEST = 0.01, 100.0


def picture(outcome: Outcome) -> str:
    """Each answer is a dot, as high as it took long; below it, when what was struck."""
    height = _TOP + _HEIGHT + 28 + _LANE * len(_LANES) + 16
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif"'
            ' font-size="11" fill="#333">',
            f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
            *_axes(outcome),
            *_dots(outcome),
            *_lanes(outcome),
            "</svg>\n",
        ]
    )


def _x(outcome: Outcome, at: float) -> float:
    last = max([outcome.seconds, *(one.at for one in outcome.struck), 1.0])
    return round(_LEFT + min(max(at / last, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(delay: float) -> float:
    share = log10(min(max(delay, _LOWEST), _HIGHEST) / _LOWEST) / log10(_HIGHEST / _LOWEST)
    return round(_TOP + _HEIGHT - share * _HEIGHT, 1)


def _axes(outcome: Outcome) -> Iterator[str]:
    yield (
        f'<text x="{_LEFT}" y="16" font-size="13" font-weight="bold">Seconds from a message to its answer, while'
        f" {len(outcome.kills())} times something was killed</text>"
    )
    for place, (name, ink) in enumerate(_INKS.items()):
        x: float = _WIDTH - _RIGHT - 210 + 75 * place
        yield f'<circle cx="{x}" cy="29" r="3" fill="{ink}"/><text x="{x + 7}" y="33">{_shown(name)}</text>'
    for seconds in (0.01, 0.1, 1.0, 10.0, 100.0):
        y = _y(seconds)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{seconds:g} s</text>'
    minutes = outcome.seconds / 60
    step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 30) if minutes / step <= 12 or step == 30)
    for count in range(int(minutes / step) + 1):
        x = _x(outcome, count * step * 60)
        yield f'<text x="{x}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{count * step:g} min</text>'


def _dots(outcome: Outcome) -> Iterator[str]:
    for name, tally in sorted(outcome.account.channels.items()):
        yield f'<g fill="{_INKS.get(name, "#333")}" fill-opacity="0.5">'
        for at, delay in tally.answered:
            seconds = (at - outcome.began_at).total_seconds()
            yield f'<circle cx="{_x(outcome, seconds)}" cy="{_y(delay)}" r="1.6"/>'
        yield "</g>"


def _lanes(outcome: Outcome) -> Iterator[str]:
    for place, (title, deed, victim, ink) in enumerate(_LANES):
        y = _TOP + _HEIGHT + 30 + place * _LANE
        marks = [one for one in outcome.struck if (one.fault.deed, one.fault.victim) == (deed, victim)]
        yield f'<text x="{_LEFT - 8}" y="{y + 11}" text-anchor="end">{title} ({len(marks)})</text>'
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y + 7}" y2="{y + 7}" stroke="#eee"/>'
        for one in marks:
            x = _x(outcome, one.at)
            yield (
                f'<rect x="{x}" y="{y + 1}" width="1.6" height="12" fill="{ink}"><title>{one.at:.0f} s:'
                f" {escape(one.fault.how)}</title></rect>"
            )
