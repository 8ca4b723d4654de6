"""Conventions for resources; docs/plugins.md explains each name.

Base types that refuse what the database could not keep, pages, filters and orders, ETags, and who wrote a row and when.
"""

from ..database.pages import Page
from ..database.uuid7 import uuid7
from ..errors import PreconditionFailed
from .etags import IfMatch, Tagged
from .listing import Listing
from .pages import Asked
from .records import Recorded
from .schemas import Input, Resource, optional
from .single import delete_one, update_one
from .types import Day, Integer, Json, Moment, Money, Text

__all__ = [
    "Asked",
    "Day",
    "IfMatch",
    "Input",
    "Integer",
    "Json",
    "Listing",
    "Moment",
    "Money",
    "Page",
    "PreconditionFailed",
    "Recorded",
    "Resource",
    "Tagged",
    "Text",
    "delete_one",
    "optional",
    "update_one",
    "uuid7",
]
