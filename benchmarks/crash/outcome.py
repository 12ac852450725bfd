"""What a campaign is to do, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.crash.audit import Account
from benchmarks.crash.schedule import (
    KILL,
    OPENING,
    Fault,
)

MOVED = "struck where it was: no desk came by in time"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that chance decides follows from it."""

    seed: int
    kills: int
    messages: int
    replicas: int
    rate: float
    opening: float = OPENING
    """Seconds for which one that holds a lease is frozen at first."""

    @property
    def duration(self) -> float:
        """Seconds from the first message to the last."""
        return self.messages / self.rate

    @property
    def command(self) -> str:
        opening = "" if self.opening == OPENING else f" --opening {self.opening:g}"
        return (
            f".venv/bin/python -m benchmarks.crash --seed {self.seed} --kills {self.kills}"
            f" --messages {self.messages} --replicas {self.replicas} --rate {self.rate:g}{opening}"
        )


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault as it was carried out."""

    fault: Fault
    at: float
    """Seconds after the first message."""
    outcome: str
    """Empty if it went as ordered; else what happened instead."""

    @property
    def at_point(self) -> bool:
        return bool(self.fault.point) and not self.outcome

    @property
    def hit(self) -> bool:
        return self.outcome in ("", MOVED)


@dataclass
class Outcome:
    plan: Plan
    struck: list[Struck] = field(default_factory=list)
    account: Account = field(default_factory=Account)
    seconds: float = 0.0
    """From the first message to the last."""
    settled: float = 0.0
    """Seconds more until everything was done."""
    starts: list[float] = field(default_factory=list)
    claims: int = 0
    lost_claims: int = 0
    hand_backs: int = 0
    doubts: int = 0
    takeovers: list[float] = field(default_factory=list)
    """Seconds until another replica had the lease of one that was frozen."""
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    folder: Path = Path()

    @property
    def violations(self) -> list[str]:
        return self.account.violations

    def kills(self) -> list[Struck]:
        return [one for one in self.struck if one.fault.deed == KILL and one.hit]
