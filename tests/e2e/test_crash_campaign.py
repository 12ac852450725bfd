"""The crash campaign in short; benchmarks/crash runs it in full, with any seed (docs/reliability.md)."""

from __future__ import annotations

from pathlib import Path

from benchmarks.crash.campaign import Campaign
from benchmarks.crash.outcome import Plan


async def test_nothing_is_lost_doubled_or_out_of_order(model: Path, folders: Path) -> None:
    plan = Plan(seed=5, kills=14, messages=240, replicas=3, rate=3.0)
    outcome = await Campaign(plan, model, folders / "campaign").run()
    assert not outcome.violations, "\n".join([f"{plan.command} repeats it", *outcome.violations])
    assert len(outcome.kills()) == plan.kills
    assert outcome.account.total("sent") == plan.messages
    assert outcome.account.agents_replies > 0
