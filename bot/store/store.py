"""``Store``: one method an intention, each one transaction."""

from __future__ import annotations

from bot.store.channels import Channels
from bot.store.contacts import Contacts
from bot.store.deliveries import Deliveries
from bot.store.events import Events
from bot.store.failures import Failures
from bot.store.files import Files
from bot.store.measuring import Measuring
from bot.store.rate_limits import Limiting
from bot.store.reading import Reading
from bot.store.receiving import Receiving
from bot.store.replies import Replies
from bot.store.staffing import Staffing
from bot.store.turns import TurnTaking


class Store(
    Receiving,
    TurnTaking,
    Staffing,
    Replies,
    Deliveries,
    Failures,
    Reading,
    Events,
    Contacts,
    Files,
    Channels,
    Limiting,
    Measuring,
):
    """All reads and writes. Methods raise ``NotFound`` for an unknown id and ``StateConflict`` where
    somebody else was faster; anything else that goes wrong leaves no trace in the database."""
