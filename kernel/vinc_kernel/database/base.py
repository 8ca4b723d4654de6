"""The declarative bases of every plugin's tables."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .uuid7 import uuid7

# Written as PostgreSQL writes it back, so that a comparison of models and database is one of strings.
TENANT = "(NULLIF(current_setting('vinc.tenant_id'::text, true), ''::text))::uuid"


class Base(DeclarativeBase):
    """The base of every table; its names are the plugin's: `<plugin>_...`.

    Rows of a model with `__append_only__ = True` are neither changed nor deleted; the platform may set the columns of
    `__blankable__` to null. Its revision calls `enable_append_only("<table>", blankable=[...])`.
    """

    __append_only__: ClassVar[bool] = False
    __blankable__: ClassVar[Sequence[str]] = ()
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True)}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class TenantOwned(Base):
    """The base of a table whose rows belong to a tenant; its revision calls `enable_row_level_security("<table>")`.

    Brings `tenant_id`, which the database fills in from the scope of the session, and `id`. The primary key begins
    with `tenant_id`, and so must unique indexes and foreign keys to other such tables: keys see every tenant's rows.
    """

    __abstract__ = True

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text(TENANT), sort_order=-2)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-1)


class PlatformOwned(Base):
    """The base of a table that no tenant sees; its revision calls `enable_row_level_security("<table>")`.

    Brings `id`, and has no `tenant_id`. Only a platform session reads and writes its rows.
    """

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-1)
