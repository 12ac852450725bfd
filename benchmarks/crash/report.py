from __future__ import annotations
from pathlib import Path
from benchmarks.crash.campaign import Outcome


def summary(outcome: Outcome) -> str:
    lines = []
    for channel, t in sorted(outcome.account.channels.items()):
        d = sorted(t.delays)
        lines.append(f"{channel}: " + " ".join(f"{k}={v}" for k, v in vars(t).items() if k != "delays") + (f" p50={d[len(d)//2]:.2f} max={d[-1]:.1f}" if d else ""))
    lines.append(f"agents' replies {outcome.account.agents_replies}, claims {outcome.claims}, lost {outcome.lost_claims}, back {outcome.hand_backs}, doubts {outcome.doubts}; leases {outcome.account.leases}")
    lines.append(f"{outcome.seconds:.0f} s + {outcome.settled:.0f} s; starts {len(outcome.starts)} mean {sum(outcome.starts)/max(1,len(outcome.starts)):.1f} max {max(outcome.starts, default=0):.1f}")
    lines += [f"  {s.at:6.1f} {s.fault.deed} {s.fault.victim} {s.fault.how} {s.outcome}" for s in sorted(outcome.struck, key=lambda s: s.at)]
    lines += [f"VIOLATION {v}" for v in outcome.violations] or ["no violations"]
    return "\n".join(lines)


def write(outcome: Outcome, out: Path, *, docs: bool) -> None:
    pass
