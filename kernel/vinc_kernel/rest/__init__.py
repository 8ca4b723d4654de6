"""Conventions for resources: base types that refuse what the database could not keep; docs/plugins.md explains each."""

from ..database.uuid7 import uuid7
from .types import Integer, Json, Moment, Money, Text

__all__ = ["Integer", "Json", "Moment", "Money", "Text", "uuid7"]
