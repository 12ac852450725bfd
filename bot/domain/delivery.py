"""What a platform tells of a message after it took it. Plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.said import Fault


class DeliveryStatus(StrEnum):
    DELIVERED = "delivered"
    """It is on the customer's device."""
    READ = "read"
    """The customer has seen it, and so has it."""
    FAILED = "failed"
    """It did not reach the customer after all."""


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """What became of one message, or of one part of a long one."""

    status: DeliveryStatus
    at: datetime | None = None
    """When it happened; None where the platform does not tell."""
    error: Fault | None = None
    """Of ``FAILED``: why, for agents."""


class ReceiptRefused(Exception):
    """It says nothing that the desk could keep, now or later."""

    def __init__(self, code: str, words: str) -> None:
        """``code`` is for programs: ``unknown_message`` or ``contradicts``."""
        super().__init__(words)
        self.code = code


def changes(known: DeliveryStatus | None, told: DeliveryStatus) -> bool:
    """Whether the receipt tells more than is known of the part: nothing goes back from read to delivered.

    Raises ``ReceiptRefused`` where both cannot be true."""
    if told is known:
        return False
    if known is DeliveryStatus.FAILED:
        raise ReceiptRefused(
            "contradicts",
            "this message was told as failed; if it is sent again, it has another id, and receipts of its own",
        )
    if known is None:
        return True
    if told is DeliveryStatus.FAILED:
        raise ReceiptRefused("contradicts", f"this message was told as {known}: the customer has it, and so it stays")
    return told is DeliveryStatus.READ
