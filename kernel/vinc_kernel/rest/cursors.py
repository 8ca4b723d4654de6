"""Cursors: the end of a page, signed, so that a cursor is valid for its own list only."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from itsdangerous import BadData, Signer, base64_decode, base64_encode

from ..errors import BadRequest, Fault

# The alphabet of base64url: Python's decoder would skip other characters.
well_formed = re.compile(r"[A-Za-z0-9_.-]{1,16000}").fullmatch
READERS: dict[type, Callable[[str], Any]] = {datetime: datetime.fromisoformat, date: date.fromisoformat, UUID: UUID}


@dataclass(frozen=True, slots=True)
class Cursors:
    """Writes and reads the cursors of one list.

    `keys` are the installation's: the first signs, each verifies. `bound_to` identifies the list: route, filters,
    order, tenant and principal. It is part of the signature.
    """

    keys: Sequence[str]
    bound_to: Sequence[Any]

    def write(self, position: Sequence[Any]) -> str:
        """Return the cursor for the values of the order columns in the last row of a page."""
        values = [value if isinstance(value, str | int) else str(value) for value in position]
        return self.signer().sign(base64_encode(json.dumps(values, ensure_ascii=False))).decode()

    def read(self, cursor: str, kinds: Sequence[type]) -> list[Any]:
        """Return these values with these types; raises BadRequest for a cursor of another list."""
        if not well_formed(cursor):
            raise invalid_cursor()
        try:
            values = json.loads(base64_decode(self.signer().unsign(cursor)))
            return [READERS.get(kind, kind)(value) for value, kind in zip(values, kinds, strict=True)]
        except (BadData, TypeError, ValueError):  # the latter two: the column had another type in an older release
            raise invalid_cursor() from None

    def signer(self) -> Signer:
        return Signer(
            self.keys[::-1],  # itsdangerous signs with the last
            salt=json.dumps(["vinc.cursor", *self.bound_to], default=str),
            key_derivation="hmac",
            digest_method=hashlib.sha384,  # 64 characters without unused bits: there is only one spelling
        )


def invalid_cursor() -> BadRequest:
    fault = Fault(place="query", pointer="/cursor", code="cursor", message="is not valid here")
    return BadRequest("This cursor is not valid here: begin again without one.", errors=[fault])
