"""Tables of outcomes: in all, by language, kind of customer and topic; the desk of before beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from benchmarks.cases.judging import Outcome

_SOLVED = ("alone", "person", "needless", "unsolved", "wrong")
_HEAD = ["", "cases", "alone", "with a person", "solved in all", "needless", "unsolved", "wrong", "repeats", "turns"]


def language_group(outcome: Outcome) -> str:
    return outcome.language if outcome.language in ("zh", "en") else "others"


def table(runs: Mapping[str, Sequence[Outcome]]) -> str:
    """Markdown; with several desks, a row of each under one another."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    groupings: list[tuple[str, Callable[[Outcome], str]]] = [
        ("", lambda _: "all"),
        ("language", language_group),
        ("customer", lambda outcome: outcome.kind.replace("_", " ")),
        ("topic", lambda outcome: outcome.topic),
    ]
    for title, key in groupings:
        names = sorted({key(outcome) for outcomes in runs.values() for outcome in outcomes})
        for name in names:
            for desk, outcomes in runs.items():
                group = [outcome for outcome in outcomes if key(outcome) == name]
                label = f"{title} {name}".strip() + (f" ({desk})" if len(runs) > 1 else "")
                lines.append("| " + " | ".join([label, *_figures(group)]) + " |")
    return "\n".join(lines)


def reasons(outcomes: Sequence[Outcome]) -> str:
    """Why cases were not solved, most frequent first."""
    found = Counter(f"{o.solved}: {o.why if o.solved != 'wrong' else o.cause}" for o in outcomes if o.why)
    return "\n".join(f"{number:4}  {why}" for why, number in found.most_common())


def summary(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Shares of cases, and means a case."""
    number = len(outcomes) or 1
    shares = {name: sum(outcome.solved == name for outcome in outcomes) / number for name in _SOLVED}
    return {
        "cases": len(outcomes),
        **shares,
        "in_all": shares["alone"] + shares["person"],
        "repeats": sum(outcome.repeats for outcome in outcomes) / number,
        "asked_again": sum(outcome.asked_again for outcome in outcomes) / number,
        "turns": sum(outcome.steps for outcome in outcomes) / number,
    }


def shown(outcome: Outcome) -> str:
    """One dialogue, for reading."""
    lines = [f"{outcome.case} ({outcome.kind}, {outcome.cause}): {outcome.solved} {outcome.why}".rstrip()]
    for message, turn in outcome.dialogue:
        lines.append("> " + next(iter(message.values())) + ("" if "text" in message else f"   [{next(iter(message))}]"))
        if turn:
            buttons = " ".join(f"[{button.label}]" for button in turn.buttons or [])
            details = ", ".join(f"{detail.kind}={detail.value}" for detail in turn.details or [])
            lines.append(f"< {turn.decision} {turn.topic or turn.intent or ''} {details} {turn.reason or ''}".rstrip())
            lines += [f"    {line}" for line in (turn.said + "\n" + buttons).splitlines() if line]
    return "\n".join(lines)


def _figures(group: Sequence[Outcome]) -> list[str]:
    if not group:
        return ["0", *["–"] * (len(_HEAD) - 2)]
    found = summary(group)
    percents = [f"{found[name]:.0%}" for name in ("alone", "person", "in_all", "needless", "unsolved", "wrong")]
    return [str(len(group)), *percents, f"{found['repeats']:.2f}", f"{found['turns']:.1f}"]
