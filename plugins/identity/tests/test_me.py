"""Who comes in, and as whom."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from time import time
from uuid import UUID

import pytest

from vinc_identity.directory import StoredPrincipals
from vinc_kernel import Principal
from vinc_testing import Database, VincApp

from .conftest import ELSEWHERE, ISSUER, SignIn, row_of


async def test_me_is_the_principal_as_understood(sign_in: SignIn, vinc_database: Database) -> None:
    acme = vinc_database.add_tenant("acme")
    vinc_database.add_tenant("globex")
    expires = int(time()) + 600
    claims = {"email": "Alice@Acme.example", "allowed_customers": "b,a", "allowed_addresses": ["x"], "exp": expires}
    alice = sign_in("alice", "supplier_admin", ("globex", "acme"), **claims)
    me = (await alice.ask("GET", "/identity/me", headers={"X-Tenant-ID": "acme"})).json()

    assert UUID(me.pop("id")) == row_of(vinc_database, "alice", "id")[0]
    assert datetime.fromisoformat(me.pop("until")) == datetime.fromtimestamp(expires, UTC)
    assert me == {
        "issuer": ISSUER,
        "subject": "alice",
        "kind": "person",
        "email": "Alice@Acme.example",
        "role": "wholesale_admin",
        "tenants": ["acme", "globex"],
        "customers": ["a", "b"],
        "addresses": ["x"],
        "multi_tenant": True,
        "tenant": {"id": str(acme), "slug": "acme"},
    }


async def test_me_without_a_tenant_role_or_address_says_so(sign_in: SignIn) -> None:
    me = (await sign_in(exp=2**53 - 1).me()).json()

    assert (me["tenant"], me["role"], me["email"], me["tenants"], me["multi_tenant"]) == (None, None, None, [], False)
    assert me["until"] == "9999-12-31T23:59:59Z"


async def test_concurrent_first_sign_ins_store_one_principal(
    sign_in: SignIn, vinc_app: VincApp, vinc_second_app: VincApp, vinc_database: Database
) -> None:
    directories: list[StoredPrincipals] = [
        one.plugin("identity").get(StoredPrincipals) for one in (vinc_app, vinc_second_app)
    ]
    alice = Principal(subject="alice", role="", issuer=ISSUER, email="A@b.example", claims={"vinc_generation": 4})
    principals = await asyncio.gather(*(one.resolve(alice) for one in directories for _ in range(10)))

    assert len({one.id for one in principals if one}) == 1
    assert None not in principals
    columns = "kind, email, generation, provider_generation"
    assert row_of(vinc_database, "alice", columns) == ("person", "a@b.example", 4, 4)


async def test_one_subject_of_two_issuers_is_two_principals(stored: StoredPrincipals) -> None:
    """Threats T6."""
    ours = await stored.resolve(Principal(subject="alice", role="", issuer=ISSUER))
    theirs = await stored.resolve(Principal(subject="alice", role="", issuer=ELSEWHERE))

    assert ours is not None
    assert theirs is not None
    assert ours.id != theirs.id


async def test_each_token_resolves_to_its_own_principal(
    stored: StoredPrincipals,
) -> None:
    viewer, agent = (Principal(subject="alice", role=role, issuer=ISSUER) for role in ("viewer", "agent"))
    await stored.resolve(viewer)
    first, again, third = [await stored.resolve(one) for one in (viewer, viewer, agent)]

    assert first is again
    assert third is not None
    assert first is not None
    assert (first.role, third.role, first.id) == ("viewer", "agent", third.id)


async def test_a_user_created_again_at_the_provider_is_another_principal(
    sign_in: SignIn, vinc_database: Database
) -> None:
    """Threats T13: a new `sub`, the same address."""
    before = await sign_in("first", email="alice@acme.example").id()
    after = await sign_in("second", email="alice@acme.example").id()

    assert before != after


async def test_a_token_without_a_subject_is_401_and_not_stored(sign_in: SignIn, vinc_database: Database) -> None:
    """Threats T13."""
    assert await sign_in(sub=None).status() == 401
    assert vinc_database.admin.execute("select count(*) from identity_principal").fetchall() == [(0,)]


@pytest.mark.parametrize("role", ["wholesaler_admin", "supplier_admin", "wholesale_admin"])
async def test_aliases_are_one_role(sign_in: SignIn, role: str) -> None:
    assert (await sign_in(role=role).me()).json()["role"] == "wholesale_admin"


async def test_of_several_roles_the_highest_counts(sign_in: SignIn) -> None:
    realm = {"roles": ["viewer", "offline_access", "supplier_helpdesk", "agent", "reseller"]}

    assert (await sign_in(realm_access=realm).me()).json()["role"] == "wholesaler_helpdesk"


@pytest.mark.parametrize("generation", [-1, 1.5, True, "x", "-1", "", "9" * 20, 10**20, "\u0663", [1], {}])
async def test_a_generation_that_is_not_a_number_is_401(sign_in: SignIn, generation: object) -> None:
    assert await sign_in(vinc_generation=generation).status() == 401


@pytest.mark.parametrize("value", ["", ",", None, 7, True, {"a": 1}, [None], [7, ""], [["a"]], [{}]])
async def test_malformed_customers_and_addresses_grant_nothing(sign_in: SignIn, value: object) -> None:
    me = (await sign_in(allowed_customers=value, allowed_addresses=value).me()).json()

    assert (me["customers"], me["addresses"]) == ([], [])
