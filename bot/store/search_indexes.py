"""The indexes that the search looks into: built beside the running desk, and kept quick to write to."""

from __future__ import annotations

import structlog
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.base import Area, Database
from bot.store.database import BUILDING
from bot.store.grounds import GROUNDS, Searched

log = structlog.get_logger(__name__)

BUILD_EVERY = 10.0
"""Seconds between looks whether an index is missing."""
SORT_EVERY = 1.0
"""Seconds after which what waits in the lists of the indexes is sorted in. An insertion that overflows a list does that
itself, and its customer waits."""
SEARCHED = tuple({of.index: of for of in GROUNDS.values()}.values())

_BUILDS = text(f"SELECT pg_try_advisory_lock(hashtext('{BUILDING}'))")
_BUILT = text(f"SELECT pg_advisory_unlock(hashtext('{BUILDING}'))")
_VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index)")
_SORT = text(
    "WITH alone AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(hashtext('switchboard.search.sort')) AS got)"
    " SELECT gin_clean_pending_list(indexrelid) FROM alone, pg_index"
    " WHERE got AND indisvalid AND indexrelid = ANY(SELECT to_regclass(name) FROM unnest(:indexes\\:\\:text[]) name)"
)


class SearchIndexes(Area):
    """Any number of replicas may call these: one does the work. A role that may not has it logged once, and the search
    goes on without: it looks through everything row by row, and writing may stall where a list overflows."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._complete = False
        self._refused: set[str] = set()

    async def build(self) -> None:
        """Builds what is missing, and anew what a killed desk left half done. Takes minutes in a large database, in
        which everybody goes on reading and writing."""
        if self._complete or "build" in self._refused:
            return
        async with self._reader.connect() as connection:
            self._complete = all([await self._is_valid(connection, of) for of in SEARCHED])
            if self._complete or not (await connection.execute(_BUILDS)).scalar_one():
                return
            try:
                # Not within the time that the desk's other statements have.
                await connection.execute(text("SET statement_timeout = 0"))
                for of in SEARCHED:
                    await self._build(connection, of)
                await connection.execute(_BUILT)
            except ProgrammingError as error:
                self._refuse(
                    error, "build", "let the owner of the tables run the desk once; `switchboard doctor` says more"
                )
            finally:
                # With its settings, and the lock where it is held yet.
                await connection.invalidate()

    async def _build(self, connection: AsyncConnection, of: Searched) -> None:
        valid = await self._is_valid(connection, of)
        if valid:
            return
        if valid is not None:
            await connection.execute(text(f"DROP INDEX CONCURRENTLY {of.index}"))
        log.info("building an index of the search", action="search_index_building", index=of.index)
        await connection.execute(text(of.definition))
        # Which grams are common.
        await connection.execute(text(f"ANALYZE {of.table}"))
        log.info("an index of the search is built", action="search_index_built", index=of.index)

    async def _is_valid(self, connection: AsyncConnection, of: Searched) -> bool | None:
        """None where there is none."""
        valid: bool | None = (await connection.execute(_VALID, {"index": of.index})).scalar_one_or_none()
        return valid

    async def sort_in(self) -> None:
        """Sorts what waits in the lists of the indexes into them."""
        if "sort" in self._refused:
            return
        try:
            async with self._reader.connect() as connection:
                await connection.execute(_SORT, {"indexes": [of.index for of in SEARCHED]})
        except ProgrammingError as error:
            self._refuse(
                error, "sort", "give the desk's role that of the tables' owner; `switchboard doctor` says more"
            )

    def _refuse(self, error: ProgrammingError, what: str, fix: str) -> None:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise error
        self._refused.add(what)
        log.warning(
            "the database does not let the desk keep the search quick", action="search_refused", what=what, fix=fix
        )
