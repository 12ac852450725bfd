"""What is searched: the tables, and the indexes into the words of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.domain.search import Ground

BUCKET = 17
"""2 to the power of this are the ids of one bucket: an index says of each row in which one it is."""
PENDING = 64 * 1024
"""Kilobytes of new entries that wait in an index's list to be sorted in: more than comes between two sweeps."""


@dataclass(frozen=True, slots=True)
class Searched:
    """One ground."""

    table: str
    short: str
    """The table's name in a query."""
    words: str
    """What is looked through, of a row."""
    at: str
    """When a row was written: the later, the greater its id."""
    filtered_at: str
    """What filters by time go by."""
    indexed: str = ""
    """The rows that are in the index, and are looked through; all, if empty."""
    which: str = ""
    """Those of them that are looked through; all, if empty."""
    joins: str = ""
    """What filters need: the conversation ``c`` and the contact ``k``."""
    any: bool = False
    """Whether filters ask for one of several conversations."""

    @property
    def index(self) -> str:
        return f"ix_{self.table}_grams"

    @property
    def source(self) -> str:
        return f"{self.table} {self.short}"

    @property
    def grams(self) -> str:
        return f"grams({self.words})"

    @property
    def bucket(self) -> str:
        return f"(ARRAY[{self.short}.id >> {BUCKET}])"

    @property
    def conditions(self) -> list[str]:
        """On the rows that are looked through."""
        return [condition for condition in (self.indexed, self.which) if condition]

    @property
    def in_order(self) -> bool:
        """Whether filters by time go by when the row was written."""
        return self.at == self.filtered_at

    @property
    def definition(self) -> str:
        """The statement that builds the index while the desk goes on."""
        made = (
            f"CREATE INDEX CONCURRENTLY {self.index} ON {self.table} USING gin ({self.grams}, {self.bucket})"
            f" WITH (gin_pending_list_limit = {PENDING})"
        )
        made += f" WHERE {self.indexed}" if self.indexed else ""
        return made.replace(f"{self.short}.", "")


_MESSAGES = Searched(
    table="message",
    short="m",
    words="m.text",
    at="m.created_at",
    filtered_at="m.created_at",
    # The desk's own lines are phrases: they stand in the table in other words than agents read.
    indexed="m.author <> 'system'",
    joins=" JOIN conversation c ON c.id = m.conversation_id JOIN contact k ON k.id = c.contact_id",
)
GROUNDS: Mapping[Ground, Searched] = {
    Ground.MESSAGES: _MESSAGES,
    Ground.NOTES: replace(_MESSAGES, which="m.visibility = 'private'"),
    Ground.CUSTOMERS: Searched(
        table="contact",
        short="k",
        words="(k.name || E'\\n' || k.external_id)",
        at="k.created_at",
        filtered_at="c.updated_at",
        any=True,
    ),
    Ground.DETAILS: Searched(
        table="conversation",
        short="c",
        words="detail_words(c.details)",
        at="c.opened_at",
        filtered_at="c.updated_at",
        # Every message changes its conversation: most have no details, and cost nothing here.
        indexed="c.details <> '[]'",
        joins=" JOIN contact k ON k.id = c.contact_id",
    ),
}
