"""What was measured, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load.measuring import Times


@dataclass(frozen=True)
class Row:
    system: str
    load: str
    times: Times
    bare: Times | None = None
    """The same load on the parse of the same Rasa, just before."""

    @property
    def over(self) -> str:
        """Milliseconds of the p50 over that of the bare parse."""
        return "" if self.bare is None else f"{(self.times.percentile(0.5) - self.bare.percentile(0.5)) * 1000:+.1f}"

    @property
    def line(self) -> str:
        cpu = ", ".join(f"{name} {self.times.cpu_each(name) * 1000:.1f}" for name in self.times.usage.cpu)
        memory = ", ".join(f"{name} {used / 2**20:.0f}" for name, used in self.times.usage.memory.items())
        return (
            f"{self.system:9} {self.load:11} p50 {milliseconds(self.times, 0.5)} p99 {milliseconds(self.times, 0.99)}"
            f" {self.over:5} {self.times.rate:6.1f}/s, {self.times.failures} failed;"
            f" ms of processor a reply: {cpu}; MB: {memory}"
        )


def milliseconds(times: Times, share: float) -> str:
    return f"{times.percentile(share) * 1000:.1f}"


def replies_table(rows: Sequence[Row]) -> str:
    """A row a load, a column a system; then the highest rates, and what a reply costs."""
    systems = list(dict.fromkeys(row.system for row in rows))
    loads = [load for load in dict.fromkeys(row.load for row in rows) if load.endswith("/s")]
    cell = {(row.system, row.load): row for row in rows}
    lines = [f"| p50 / p99, ms | {' | '.join(systems)} |", "|---|" + "---|" * len(systems)]
    for load in loads:
        times = [cell[system, load].times for system in systems]
        lines.append(
            f"| {load} | " + " | ".join(f"{milliseconds(t, 0.5)} / {milliseconds(t, 0.99)}" for t in times) + " |"
        )
    for load in loads:
        lines.append(
            f"| {load}: p50 over the parse of the same Rasa | "
            + " | ".join(cell[system, load].over for system in systems)
            + " |"
        )
    best = {
        system: max((row.times for row in rows if row.system == system), key=lambda times: times.rate)
        for system in systems
    }
    lines.append("| highest rate, replies/s | " + " | ".join(f"{best[system].rate:.1f}" for system in systems) + " |")
    for group in ("rasa", "desk", "postgres"):
        costs = [f"{best[s].cpu_each(group) * 1000:.1f}" if group in best[s].usage.cpu else "" for s in systems]
        lines.append(f"| ms of processor a reply then, {group} | " + " | ".join(costs) + " |")
        used = [f"{best[s].usage.memory[group] / 2**20:.0f}" if group in best[s].usage.memory else "" for s in systems]
        lines.append(f"| MB resident then, {group} | " + " | ".join(used) + " |")
    failed = sum(row.times.failures for row in rows)
    return "\n".join(
        [*lines, "", f"{failed} of {sum(len(row.times.replies) for row in rows) + failed} messages failed."]
    )
