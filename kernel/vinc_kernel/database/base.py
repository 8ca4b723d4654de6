"""The declarative base of every plugin's tables."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The base of every table; its names are the plugin's: `<plugin>_...`.

    Rows of a model with `__append_only__ = True` are neither changed nor deleted; the platform may set the columns of
    `__blankable__` to null. Its revision calls `enable_append_only("<table>", blankable=[...])`.
    """

    __append_only__: ClassVar[bool] = False
    __blankable__: ClassVar[Sequence[str]] = ()
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
