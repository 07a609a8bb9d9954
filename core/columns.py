"""Column types and shorthands shared by all tables.

SQLite tables are STRICT, so only INTEGER, TEXT and BLOB columns exist there. Instants are integers: microseconds
since 1970 in UTC, exact both ways and ordered like time.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy import Text as TextColumn
from sqlmodel import Field, SQLModel

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Integer64 = BigInteger().with_variant(Integer(), "sqlite")
SURROGATE = re.compile("[\ud800-\udfff]")
# Every constraint has the same name on every database: a migration has to name what it changes.
SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since the epoch."""

    impl = Integer64
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Turn an aware datetime into microseconds; a naive one raises TypeError."""
        del dialect
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Turn microseconds into an aware datetime in UTC."""
        del dialect
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Json(TypeDecorator[Any]):
    """A JSON value, kept as compact text."""

    impl = TextColumn
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str:
        """Write compact JSON, escaped where a lone surrogate (which platforms may send) would fit into no database."""
        del dialect
        written = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        is_fit = not SURROGATE.search(written)
        return written if is_fit else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> object:
        """Read it back."""
        del dialect
        return json.loads(value or "null")


def integer(default: int | None = None, *, primary_key: bool = False, index: bool = False) -> Any:
    """Return a 64-bit integer column."""
    return Field(default=default, sa_type=Integer64, primary_key=primary_key, index=index)


def text(default: str | None = "", *, unique: bool = False, primary_key: bool = False) -> Any:
    """Return a text column; a default of None lets it be empty."""
    return Field(default=default, sa_type=TextColumn, unique=unique, primary_key=primary_key)


def instant(*, index: bool = False) -> Any:
    """Return an instant that may be empty."""
    return Field(default=None, sa_type=Instant, index=index)


def json_object() -> Any:
    """Return a JSON object column, empty by default."""
    return Field(default_factory=dict, sa_type=Json)


def reference(table: str, *, index: bool = False) -> Any:
    """Return a reference to a table that no pool owns."""
    key = ForeignKey(f"{table}.id", deferrable=True, initially="DEFERRED")
    return Field(default=None, sa_column_args=[key], sa_type=Integer64, index=index)


def pool_key(*columns: str) -> PrimaryKeyConstraint:
    """Return the key of a table that belongs to a pool: the pool first, so that it can be sharded by pool."""
    return PrimaryKeyConstraint("pool_id", *(columns or ("id",)))


def pool_reference(column: str, table: str) -> ForeignKeyConstraint:
    """Return a reference that cannot leave the pool."""
    keys = [f"{table}.pool_id", f"{table}.id"]
    return ForeignKeyConstraint(["pool_id", column], keys, deferrable=True, initially="DEFERRED")


def pool_unique(*columns: str) -> UniqueConstraint:
    """Return a uniqueness rule within the pool."""
    return UniqueConstraint("pool_id", *columns)
