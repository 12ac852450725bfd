"""What goes wrong on the way to a customer or from one, whatever the platform."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.said import Fault, fault

NO_ANSWER = fault("the platform did not answer in time", "fault.no_answer")


def channel_off(channel: str) -> Fault:
    return fault("the channel {channel} is off", "fault.channel_off", channel=channel)


def other_account(channel: str, theirs: str, ours: str) -> Fault:
    return fault(
        "this contact belongs to the {channel} account {theirs}, and the desk now runs {ours}",
        "fault.other_account",
        channel=channel,
        theirs=theirs,
        ours=ours,
    )


def unchangeable(channel: str) -> Fault:
    return fault("what was sent on {channel} cannot be changed any more", "fault.unchangeable", channel=channel)


def given_up(after: timedelta, why: Fault) -> Fault:
    hours = round(after.total_seconds() / 3600)
    return fault("given up after {n} hours: {why}", "fault.given_up", n=hours, why=why)
