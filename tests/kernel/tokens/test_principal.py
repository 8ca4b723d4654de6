"""What a principal is made of: the role, the claims in both spellings, and nothing by the order of a list."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vinc_kernel.tokens.claims import TokenRefused, elements, read

from .issuing import Caller, Sso


async def principal(caller: Caller, token: str) -> dict[str, Any]:
    answer = await caller.ask(token)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_everything_that_a_token_says(caller: Caller, sso: Sso) -> None:
    claims = {"role": "manager", "allowed_customers": ["c1"], "allowed_addresses": "a1,a2", "vinc_generation": "7"}
    token = sso.token(sub="alice", exp=2**40, allowed_wholesalers=["acme", "globex"], multi_tenant="true", **claims)

    assert await principal(caller, token) == {
        "subject": "alice",
        "issuer": sso.url,
        "role": "manager",
        "kind": "person",
        "email": "alice@acme.example",
        "tenants": ["acme", "globex"],
        "claims": claims,
        "expires": 2**40,
    }


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({}, ""),
        ({"role": "clerk"}, "clerk"),
        ({"role": "boss"}, "manager"),
        ({"role": ["boss"]}, "manager"),
        ({"role": ["viewer", "boss", "clerk"]}, "manager"),
        ({"role": "BOSS"}, "BOSS"),
        ({"role": "boss,root"}, "boss,root"),
        ({"role": []}, ""),
        ({"role": "", "realm_access": {"roles": ["root"]}}, ""),
        ({"role": "clerk", "realm_access": {"roles": ["root"]}}, "clerk"),
        ({"role": "nobody knows", "realm_access": {"roles": ["root"]}}, "nobody knows"),
        ({"realm_access": {"roles": ["offline_access", "clerk"]}}, "clerk"),
        ({"realm_access": {"roles": ["Root", "ROOT", "root "]}}, ""),
        ({"realm_access": {}}, ""),
    ],
    ids=str,
)
async def test_the_role(caller: Caller, sso: Sso, claims: dict[str, Any], role: str) -> None:
    assert (await principal(caller, sso.token(**claims)))["role"] == role


async def test_of_several_roles_of_the_realm_the_highest_counts_in_any_order(caller: Caller, sso: Sso) -> None:
    for roles in itertools.permutations(["viewer", "supervisor", "boss", "clerk"]):
        found = await principal(caller, sso.token(realm_access={"roles": list(roles)}))
        assert found["role"] == "manager"


@pytest.mark.parametrize(
    ("claim", "tenants"),
    [
        (None, []),
        ("", []),
        ("acme", ["acme"]),
        ("acme, globex,,", ["acme", "globex"]),
        (["acme"], ["acme"]),
        (["acme", "acme"], ["acme"]),
        ([], []),
    ],
)
async def test_tenants_in_both_spellings(caller: Caller, sso: Sso, claim: Any, tenants: list[str]) -> None:
    found = await principal(caller, sso.token(allowed_wholesalers=claim))

    assert found["tenants"] == tenants


NAMES = [
    "iss", "sub", "azp", "exp", "email", "role", "realm_access", "allowed_wholesalers", "allowed_customers",
    "allowed_addresses", "multi_tenant", "vinc_generation", "client_id", "sid", "preferred_username",
]  # fmt: skip
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(NAMES), json, max_size=4))
def test_whatever_claims_say_they_are_read_or_refused(changed: dict[str, Any]) -> None:
    with suppress(TokenRefused):
        found = read(Sso(keys=[]).claims() | changed)
        assert found.subject.isprintable()


@given(json)
def test_an_element_of_a_list_is_never_split_and_nothing_else_is_taken(value: Any) -> None:
    try:
        found = elements({"tenants": value}, "tenants")
    except TokenRefused:
        return
    if isinstance(value, str):
        assert found == {part.strip() for part in value.split(",") if part.strip()}
    else:
        assert found == set(value or ())
    assert not any("," in one or not one.isascii() or not one.strip() for one in found)
