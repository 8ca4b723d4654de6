"""Whatever a list can be filtered and ordered by has an index that begins so, in every plugin (threat I14).

That PostgreSQL uses such an index under row level security is in tests/kernel/rest/test_plans.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.routing import APIRoute
from sqlalchemy import Column, Index, Table, Text, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from vinc_kernel.fastapi_adapter import dependencies_of
from vinc_kernel.rest.listing import Listing, ReadQuery
from vinc_testing import VincApp

TENANT = "tenant_id"


class Tables(DeclarativeBase):
    """The table of this file only."""


class Song(Tables):
    __tablename__ = "songs_song"
    __table_args__ = (Index("ix_songs_song_title", "tenant_id", "title", "id"),)
    tenant_id: Mapped[object] = mapped_column(Uuid, primary_key=True)
    id: Mapped[object] = mapped_column(Uuid, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    singer: Mapped[str] = mapped_column(Text)


def listings(app: VincApp) -> Iterator[tuple[str, Listing]]:
    for endpoint in app.application.routes:
        if isinstance(endpoint.route, APIRoute):
            for one in dependencies_of(endpoint.route):
                if isinstance(one.call, ReadQuery):
                    yield endpoint.path, one.call.listing


def without_index(listing: Listing) -> set[str]:
    """What this list offers and no index helps."""
    found = {name for name, order in listing.orders.items() if not begins_an_index(order.columns)}
    filtered = {name: next(iter(one.one.expression.left.base_columns)) for name, one in listing.filters.items()}  # type: ignore[attr-defined]  # each compares a column
    return found | {name for name, column in filtered.items() if not begins_an_index((column,))}


def begins_an_index(columns: tuple[Column[object], ...]) -> bool:
    table: Table = columns[0].table  # type: ignore[assignment]  # a model's
    wanted = [*([TENANT] if TENANT in table.columns else []), *(column.name for column in columns)]
    return any(key[: len(wanted)] == wanted or (is_unique and key == wanted[:-1]) for key, is_unique in keys(table))


def keys(table: Table) -> Iterator[tuple[list[str], bool]]:
    """The columns of each index, and whether no two rows have the same."""
    yield [column.name for column in table.primary_key.columns], True
    for index in table.indexes:
        yield [getattr(one, "name", "") for one in index.expressions], bool(index.unique)
    for column in table.columns:
        if column.unique:
            yield [column.name], True
    for constraint in table.constraints:
        if type(constraint).__name__ == "UniqueConstraint":
            yield [column.name for column in constraint.columns], True  # type: ignore[attr-defined]  # such a one


def test_every_filter_and_order_of_the_running_application_has_its_index(vinc_app: VincApp) -> None:
    found = dict(listings(vinc_app))

    assert "/api/v1/tenants" in found
    assert {path: missing for path, listing in found.items() if (missing := without_index(listing))} == {}


def test_one_without_an_index_is_noticed() -> None:
    listing = Listing(
        Song,
        filters={"title": Song.title, "singer": Song.singer},
        orders={"title": Song.title, "singer": Song.singer},
        order="title",
    )

    assert without_index(listing) == {"singer", "-singer"}
