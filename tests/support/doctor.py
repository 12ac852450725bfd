"""The levels of the doctor's findings, by short names."""

from __future__ import annotations

from bot.domain.findings import Level

OK, WARNING, WRONG = Level.OK, Level.WARNING, Level.WRONG
