"""The named points of a message's way at which a desk can be made to die or to freeze.

The one table to change when the calls between receiving and recording change. ``desk.py`` wraps them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class Point:
    """A coroutine function of the desk: a fault strikes before it is called, or after it has returned."""

    name: str
    target: str
    """``module:name`` or ``module:Class.name``."""
    often: bool = True
    """Passed by every message; the others only by some."""

    def owner(self) -> tuple[Any, str]:
        """The module or class that has the function, and the function's name there."""
        module, _, path = self.target.partition(":")
        owner: Any = import_module(module)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        if not inspect.iscoroutinefunction(vars(owner)[name]):
            raise TypeError(f"{self.target} is not a coroutine function")
        return owner, name


POINTS = (
    # A platform's event comes in, and is committed with its turn.
    Point("receive", "bot.pipeline.intake:Intake.receive"),
    Point("record incoming", "bot.store.incoming:IncomingMessages.record"),
    Point("write at once", "bot.queue:Queue.at_once"),
    Point("write step by step", "bot.queue:Queue.within", often=False),
    Point("acknowledge to Telegram", "connectors.telegram:TelegramConnector._fetch"),
    Point("keep Discord's session", "connectors.discord:DiscordConnector.keep"),
    # The turn.
    Point("take turn", "bot.pipeline.turns:Turns.take"),
    Point("begin turn", "bot.store.turns:Turns.begin", often=False),
    Point("ask the engine", "intents.rasa:RasaEngine.predict"),
    Point("finish turn", "bot.store.turns:Turns.finish"),
    Point("skip turn", "bot.store.turns:Turns.skip", often=False),
    # An agent.
    Point("claim", "bot.store.acts:ConversationActs.claim", often=False),
    Point("agent's reply", "bot.store.replies:Replies.add", often=False),
    Point("hand back", "bot.store.flow:ConversationFlow.hand_back", often=False),
    # The reply goes out.
    Point("defer delivery", "bot.queue:Queue.defer_delivery", often=False),
    Point("deliver", "bot.pipeline.outbox:Outbox.deliver"),
    Point("begin delivery", "bot.store.deliveries:Deliveries.begin", often=False),
    Point("confirm the job", "bot.queue.worker:WorkersJobLease.confirm"),
    Point("send to Telegram", "connectors.telegram:TelegramConnector.send"),
    Point("send to Discord", "connectors.discord:DiscordConnector.send"),
    Point("send to the web", "connectors.web:WebConnector.send"),
    Point("record sent", "bot.store.deliveries:Deliveries.record_sent"),
    Point("end of the job", "bot.queue.worker:Worker._persist_job_status"),
    # What keeps it going.
    Point("sign of life", "bot.queue.worker:Worker.beat", often=False),
    Point("rescue jobs", "bot.queue:Queue.rescue_stalled", often=False),
    Point("rescue lost jobs", "bot.queue:Queue.rescue_lost", often=False),
    Point("acquire a lease", "bot.runtime.lease:_acquired", often=False),
)

OFTEN = {point.name: point.often for point in POINTS}


def places() -> Iterator[tuple[str, str]]:
    """Every place where a fault may strike, as (side, name of the point)."""
    for point in POINTS:
        yield BEFORE, point.name
        yield AFTER, point.name
