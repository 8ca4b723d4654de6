"""Keys of objects are read like the texts of an address, and no two of them become one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from vinc_kernel.rest import RequestModel

NFD, NFC = "Zoe\u0308", "Zo\u00eb"


class Keys(RequestModel):
    numbers: dict[int, int] = {}
    flags: dict[bool, int] = {}
    ids: dict[UUID, int] = {}
    names: dict[str, int] = {}
    times: dict[datetime, int] = {}


@pytest.mark.parametrize(
    "given",
    [
        {"numbers": {"01": 1}},
        {"numbers": {" 1 ": 1}},
        {"numbers": {"1_0": 1}},
        {"flags": {"yes": 1}},
        {"ids": {str(UUID(int=10)).upper(): 1}},
        {"names": {NFD: 1, NFC: 2}},
        {"times": {"1": 1}},
        {"times": {"2026-01-01T00:00:00": 1}},
        {"times": {"2026-01-01T00:00:00Z": 1, "2026-01-01T01:00:00+01:00": 2}},
    ],
)
def test_keys_of_objects_are_strict_and_none_is_lost(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Keys.model_validate(given)


def test_keys_of_objects_are_read() -> None:
    given = {"numbers": {"1": 1}, "flags": {"true": 1}, "ids": {str(UUID(int=10)): 1}, "names": {NFD: 1}}
    read = Keys.model_validate(given)

    assert (read.numbers, read.flags, read.ids, read.names) == ({1: 1}, {True: 1}, {UUID(int=10): 1}, {NFC: 1})
