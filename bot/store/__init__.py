"""Everything that must survive: PostgreSQL behind one class."""

from bot.store.database import migrate
from bot.store.store import Store

__all__ = ["Store", "migrate"]
