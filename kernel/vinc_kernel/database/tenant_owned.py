"""The base of tables whose rows belong to a tenant."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base
from .uuid7 import uuid7

# Written as PostgreSQL writes it back, so that a comparison of models and database is one of strings.
TENANT = "(NULLIF(current_setting('vinc.tenant_id'::text, true), ''::text))::uuid"


class TenantOwned(Base):
    """The base of a table whose rows belong to a tenant; its revision calls `enable_row_level_security("<table>")`.

    Brings `tenant_id`, which the database fills in from the scope of the session, and `id`. The primary key begins
    with `tenant_id`, and so must unique indexes and foreign keys to other such tables: keys see every tenant's rows.
    """

    __abstract__ = True

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text(TENANT), sort_order=-2)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-1)
