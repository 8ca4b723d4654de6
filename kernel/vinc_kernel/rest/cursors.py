"""Cursors: where a page ends, signed, so that nobody makes one up or takes it elsewhere."""

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

# The alphabet of base64url: what is outside of it, Python's decoder would skip.
well_formed = re.compile(r"[A-Za-z0-9_.-]{1,16000}").fullmatch
READERS: dict[type, Callable[[str], Any]] = {datetime: datetime.fromisoformat, date: date.fromisoformat, UUID: UUID}


@dataclass(frozen=True, slots=True)
class Cursors:
    """Writes and reads cursors that are good for one list alone.

    `keys` are the installation's: the first signs, all are believed. `bound_to` is everything that makes it this list:
    route, filters, order, tenant and user. It goes into the signature, so that there is nothing to compare.
    """

    keys: Sequence[str]
    bound_to: Sequence[Any]

    def write(self, position: Sequence[Any]) -> str:
        """The cursor for the values of the order columns in the last row of a page."""
        values = [value if isinstance(value, str | int) else str(value) for value in position]
        return self.signer().sign(base64_encode(json.dumps(values, ensure_ascii=False))).decode()

    def read(self, cursor: str, kinds: Sequence[type]) -> list[Any]:
        """Those values again, of these types; raises BadRequest for whatever was not written for this list."""
        if not well_formed(cursor):
            raise not_ours()
        try:
            values = json.loads(base64_decode(self.signer().unsign(cursor)))
            return [READERS.get(kind, kind)(value) for value, kind in zip(values, kinds, strict=True)]
        except (BadData, TypeError, ValueError):  # the latter two: of an older release, where the column was another
            raise not_ours() from None

    def signer(self) -> Signer:
        return Signer(
            self.keys[::-1],  # itsdangerous signs with the last
            salt=json.dumps(["vinc.cursor", *self.bound_to], default=str),
            key_derivation="hmac",
            digest_method=hashlib.sha384,  # 64 characters without a bit to spare: it can be written in one way only
        )


def not_ours() -> BadRequest:
    fault = Fault(place="query", pointer="/cursor", code="cursor", message="is not valid here")
    return BadRequest("This cursor is not valid here: begin again without one.", errors=[fault])
