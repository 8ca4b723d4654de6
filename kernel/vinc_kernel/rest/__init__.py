"""Conventions for resources; docs/plugins.md explains each name.

Field types that PostgreSQL can store, pages, filters and orders, ETags, and audit columns.
"""

from ..database.pages import Page
from ..database.uuid7 import uuid7
from ..errors import PreconditionFailed
from .etags import IfMatch, WithETag
from .listing import Listing
from .pages import ListQuery
from .records import AuditColumns
from .schemas import RequestModel, ResourceModel, optional
from .single import delete_one, update_one
from .types import Boolean, Date, Integer, Json, Money, Text, UtcDateTime

__all__ = [
    "AuditColumns",
    "Boolean",
    "Date",
    "IfMatch",
    "Integer",
    "Json",
    "ListQuery",
    "Listing",
    "Money",
    "Page",
    "PreconditionFailed",
    "RequestModel",
    "ResourceModel",
    "Text",
    "UtcDateTime",
    "WithETag",
    "delete_one",
    "optional",
    "update_one",
    "uuid7",
]
