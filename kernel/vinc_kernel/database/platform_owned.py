"""The base of tables that only the platform's role sees."""

from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from .base import Base
from .uuid7 import uuid7


class PlatformOwned(Base):
    """The base of a table that no tenant sees; its revision calls `enable_row_level_security("<table>")`.

    Brings `id`, and has no `tenant_id`. Only a platform session reads and writes its rows.
    """

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-1)
