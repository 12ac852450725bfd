"""What every table is made with."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    MetaData,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ERROR_SAID = "The error with the phrase that agents read of it; of another one where its words are not those in error."
Moment = DateTime(timezone=True)


def one_of(column: str, values: type) -> CheckConstraint:
    names = ", ".join(f"'{value}'" for value in values)  # type: ignore[attr-defined]
    return CheckConstraint(f"{column} in ({names})", name=column)
