"""How messages name keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vinc_kernel.cache.keys import mark

ID = UUID("0199f3c8-0000-7000-8000-000000000001")
scalars = st.one_of(st.text(), st.integers(), st.uuids())
keys = st.recursive(scalars, lambda inner: st.tuples(inner, inner), max_leaves=4)


def test_a_mark_is_the_same_in_every_worker() -> None:
    assert [mark("acme"), mark(ID), mark((ID, 7))] == ["7c6e3ff6df1721c9", "b139f03f1a1cb0da", "2f527fa408294d30"]


@given(keys, keys)
def test_two_keys_have_two_marks(first: Any, second: Any) -> None:
    assert (mark(first) == mark(second)) == (first == second)


def test_a_mark_does_not_tell_its_key() -> None:
    assert "mario" not in mark("mario@example.com")


@pytest.mark.parametrize("key", [object(), 1.5, b"bytes", ["a"], None, ("a", object())])
def test_a_key_that_workers_would_write_differently_is_refused(key: object) -> None:
    with pytest.raises(TypeError, match="UUID"):
        mark(key)
