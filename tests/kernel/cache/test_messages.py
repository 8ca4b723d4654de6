"""What workers tell each other, and how messages name keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vinc_kernel.cache.messages import Change, hash_key, message

ID = UUID("0199f3c8-0000-7000-8000-000000000001")
ACME, OTHER = hash_key("acme"), hash_key("other")
scalars = st.one_of(st.text(), st.integers(), st.uuids())
keys = st.recursive(scalars, lambda inner: st.tuples(inner, inner), max_leaves=4)


def test_a_message_carries_topics_versions_and_key_hashes() -> None:
    changes = [Change("tenants.tenant", 18, frozenset([ACME, OTHER])), Change("users.user", 3, None)]

    assert message.validate_json(message.dump_json(changes)) == changes


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"tenants.tenant 18 *", b'[["tenants.tenant", 18, null]]', b'[{"topic": 1}]']
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValidationError):
        message.validate_json(data)


def test_a_key_has_the_same_hash_in_every_worker() -> None:
    hashes = [hash_key("acme"), hash_key(ID), hash_key((ID, 7))]

    assert hashes == ["7c6e3ff6df1721c9", "b139f03f1a1cb0da", "2f527fa408294d30"]


@given(keys, keys)
def test_two_keys_have_two_hashes(first: Any, second: Any) -> None:
    assert (hash_key(first) == hash_key(second)) == (first == second)


@pytest.mark.parametrize("key", [object(), 1.5, b"bytes", ["a"], None, ("a", object())])
def test_a_key_without_a_stable_form_is_refused(key: object) -> None:
    with pytest.raises(TypeError, match="UUID"):
        hash_key(key)
