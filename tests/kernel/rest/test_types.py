"""Base types refuse what would be an error of the database, or another value, later."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from vinc_kernel.rest import Boolean, Integer, Json, Money, Text, UtcDateTime

DEEP: Any = json.loads("[" * 33 + "]" * 33)
NO_INTEGERS = ["1_0", "10.0", 10.0, True, " 1", "1 ", "+1", "01", "", 2**63, -(2**63) - 1, "9" * 19, "٣"]
NO_MONEY = ["1_0", "1e3", "NaN", "Infinity", float("nan"), 1e400, True, "1.23456", "1" * 15, ".5", "1.", Decimal("NaN")]
NO_MOMENTS = ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "2026-01-01T00:00:00", 0, 1.5, True, "now"]
REFUSED: list[tuple[Any, Any]] = [
    *((Text, value) for value in ("a\x00b", "\ud800", 1, None, b"a")),
    *((Integer, value) for value in NO_INTEGERS),
    *((Boolean, value) for value in (0, 1, 1.0, None, "", "1", "on", "yes", "True", [])),
    *((Money, value) for value in NO_MONEY),
    *((UtcDateTime, value) for value in NO_MOMENTS),
    *((Json, value) for value in ("a\x00", {"a\x00": 1}, ["\udfff"], {"\ud800": 1}, float("nan"), [1e400], DEEP)),
]
TAKEN: list[tuple[Any, Any, Any]] = [
    (Text, "Zoë 𝄞", "Zoë 𝄞"),
    (Integer, 10, 10),
    (Integer, "-10", -10),
    (Integer, 2**63 - 1, 2**63 - 1),
    (Boolean, False, False),
    (Boolean, "true", True),
    (Money, "12.50", Decimal("12.50")),
    (Money, 12.5, Decimal("12.5")),
    (Money, -3, Decimal(-3)),
    (UtcDateTime, "2026-11-24T12:00:00+02:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
    (Json, {"a": [1, 2.5, None, True, "b"]}, {"a": [1, 2.5, None, True, "b"]}),
]


@pytest.mark.parametrize(("kind", "value"), REFUSED, ids=lambda value: repr(value)[:40])
def test_what_the_database_could_not_keep_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(("kind", "value", "kept"), TAKEN, ids=lambda value: repr(value)[:40])
def test_what_it_can_keep_is_taken_as_it_was_meant(kind: Any, value: Any, kept: Any) -> None:
    assert TypeAdapter(kind).validate_python(value) == kept


@given(st.text())
def test_text_is_kept_whole_or_refused(text: str) -> None:
    try:
        kept = TypeAdapter(Text).validate_python(text)
    except ValidationError:
        assert "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text)
    else:
        assert kept == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_json_that_is_taken_can_be_written(value: Any) -> None:
    try:
        kept = TypeAdapter(Json).validate_python(value)
    except ValidationError:
        return
    json.dumps(kept, allow_nan=False).encode()
