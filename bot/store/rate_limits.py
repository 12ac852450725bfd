"""The hits of rate limits, which all replicas count together: a storage for the library ``limits``."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.web.sign_in_limits import RateStorage

# One statement a call, with the database's clock, which is the same for all replicas. It is read anew where the row is
# locked: whoever waited for it sees what the others counted meanwhile. A hit from the future, left by a clock that was
# set back, does not count.
_WITHIN = "hit > clock_timestamp() - make_interval(secs => :expiry) AND hit <= clock_timestamp()"
_NOW = "array_fill(clock_timestamp(), ARRAY[CAST(:amount AS integer)])"
_UNTIL = "clock_timestamp() + make_interval(secs => :expiry)"

_ACQUIRE = text(
    f"""
    INSERT INTO rate_limit AS known (key, hits, expires_at) VALUES (:key, {_NOW}, {_UNTIL})
    ON CONFLICT (key) DO UPDATE
    SET hits = ARRAY(SELECT hit FROM unnest(known.hits) AS hit WHERE {_WITHIN} ORDER BY hit) || {_NOW},
        expires_at = {_UNTIL}
    WHERE (SELECT count(*) FROM unnest(known.hits) AS hit WHERE {_WITHIN}) + :amount <= :limit
    RETURNING key
    """
)
_WINDOW = text(
    f"""
    SELECT extract(epoch FROM coalesce(min(hit), clock_timestamp())), count(hit)
    FROM (SELECT unnest(hits) AS hit FROM rate_limit WHERE key = :key) AS hits WHERE {_WITHIN}
    """
)
_INCREASE = text(
    f"""
    INSERT INTO rate_limit AS known (key, hits, expires_at) VALUES (:key, {_NOW}, {_UNTIL})
    ON CONFLICT (key) DO UPDATE
    SET hits = CASE WHEN known.expires_at > clock_timestamp() THEN known.hits ELSE '{{}}' END || {_NOW},
        expires_at = CASE WHEN known.expires_at > clock_timestamp() THEN known.expires_at ELSE {_UNTIL} END
    RETURNING cardinality(hits)
    """
)
_COUNT = text("SELECT cardinality(hits) FROM rate_limit WHERE key = :key AND expires_at > clock_timestamp()")
_EXPIRY = text(
    "SELECT extract(epoch FROM coalesce(max(expires_at), clock_timestamp())) FROM rate_limit WHERE key = :key"
)
_RELEASE = text("UPDATE rate_limit SET hits = trim_array(hits, 1) WHERE key = :key AND cardinality(hits) > 0")
_CLEAR = text("DELETE FROM rate_limit WHERE key = :key")
_RESET = text("DELETE FROM rate_limit")


class RateLimits(RateStorage):
    """For the strategies "moving window" and "fixed window" of ``limits``; a key is of one of them."""

    STORAGE_SCHEME = None

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__()
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def base_exceptions(self) -> type[Exception]:
        return SQLAlchemyError

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        if amount > limit:
            return False
        async with self._engine.connect() as connection:
            counted = await connection.execute(
                _ACQUIRE, {"key": key, "limit": limit, "expiry": expiry, "amount": amount}
            )
            return counted.first() is not None

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002
        async with self._engine.connect() as connection:
            start, count = (await connection.execute(_WINDOW, {"key": key, "expiry": expiry})).one()
            return float(start), count

    async def release(self, key: str) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(_RELEASE, {"key": key})

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        async with self._engine.connect() as connection:
            found = await connection.execute(_INCREASE, {"key": key, "expiry": expiry, "amount": amount})
            return int(found.scalar_one())

    async def get(self, key: str) -> int:
        async with self._engine.connect() as connection:
            return (await connection.execute(_COUNT, {"key": key})).scalar() or 0

    async def get_expiry(self, key: str) -> float:
        async with self._engine.connect() as connection:
            return float((await connection.execute(_EXPIRY, {"key": key})).scalar_one())

    async def check(self) -> bool:
        async with self._engine.connect() as connection:
            return (await connection.execute(text("SELECT true"))).scalar_one() is True

    async def reset(self) -> int | None:
        async with self._engine.connect() as connection:
            return (await connection.execute(_RESET)).rowcount

    async def clear(self, key: str) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(_CLEAR, {"key": key})
