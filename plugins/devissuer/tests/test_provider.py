"""The identity provider that other plugins ask."""

from __future__ import annotations

import asyncio
import json

import pytest
from httpx import AsyncClient
from joserfc import jws

from vinc_identity.contracts import IdentityProvider, Profile, ProviderUser, UserExists, UserMissing
from vinc_kernel import VincError
from vinc_testing import Database

from .conftest import ALICE, ask, sign_in


def generation_of(token: str) -> int:
    return int(json.loads(jws.extract_compact(token.encode()).payload)["vinc_generation"])


async def test_a_user_is_found_by_their_address_however_it_is_written(
    users: IdentityProvider, alice: ProviderUser
) -> None:
    found = await users.find(" alice@Acme.EXAMPLE")

    assert found == alice
    assert alice.profile == Profile(
        email=ALICE, name="Alice", role="viewer", tenants=("acme",), customers=(), addresses=()
    )
    assert await users.find("nobody@acme.example") is None


async def test_an_address_is_somebodys_once(users: IdentityProvider, alice: ProviderUser) -> None:
    other = await users.create(Profile(email="bob@acme.example"))
    with pytest.raises(UserExists) as created:
        await users.create(Profile(email="ALICE@acme.example"))
    with pytest.raises(UserExists) as updated:
        await users.update(other.subject, Profile(email=ALICE))

    assert [ALICE in str(one.value) for one in (created, updated)] == [False, False]


async def test_an_update_makes_the_profile_equal(users: IdentityProvider, alice: ProviderUser) -> None:
    wanted = Profile(
        email="al@acme.example", name="Al", role="agent", tenants=("globex",), customers=("c",), addresses=("a",)
    )
    for _ in range(2):
        await users.update(alice.subject, wanted)
    found = await users.find("al@acme.example")

    assert found == ProviderUser(subject=alice.subject, profile=wanted)
    assert await users.find(ALICE) is None


@pytest.mark.parametrize("subject", ["", "x", "93300502-6f4c-45cc-b475-7bfa7f2d65f2"])
async def test_an_unknown_subject_raises_user_missing(users: IdentityProvider, subject: str) -> None:
    for call in (
        users.update(subject, Profile(email=ALICE)),
        users.disable(subject),
        users.set_password(subject, "some password"),
        users.invite(subject),
        users.end_sessions(subject, 1),
        users.new_service_secret(subject),
        users.delete_service(subject),
    ):
        with pytest.raises(UserMissing):
            await call


@pytest.mark.parametrize(
    "email",
    ["", "alice", "@acme.example", "a@", "a b@acme.example", "a\0@b.example", "a@b.example\udcff", "a" * 251 + "@b.c"],
)
async def test_an_invalid_address_is_refused(users: IdentityProvider, email: str) -> None:
    with pytest.raises(VincError, match="not an e-mail address"):
        await users.create(Profile(email=email))


async def test_ended_sessions_give_no_tokens_and_new_ones_carry_the_number(
    client: AsyncClient, users: IdentityProvider, alice: ProviderUser
) -> None:
    before = (await sign_in(client)).json()
    await users.end_sessions(alice.subject, 3)
    await users.end_sessions(alice.subject, 2)
    refused = await ask(client, "refresh_token", refresh_token=before["refresh_token"])
    after = (await sign_in(client)).json()
    renewed = (await ask(client, "refresh_token", refresh_token=after["refresh_token"])).json()

    assert refused.status_code == 400
    assert [generation_of(one["access_token"]) for one in (before, after, renewed)] == [0, 3, 3]


async def test_a_session_that_was_not_ended_never_carries_a_later_number(
    client: AsyncClient, users: IdentityProvider, alice: ProviderUser, vinc_database: Database
) -> None:
    token = (await sign_in(client)).json()["refresh_token"]
    # As where a sign-in is under way while the sessions end: its session is stored just after.
    vinc_database.admin.execute("update devissuer_user set generation = 1")

    assert (await ask(client, "refresh_token", refresh_token=token)).status_code == 400


async def test_a_sign_in_while_sessions_end_has_the_old_generation_or_stays_valid(
    client: AsyncClient, users: IdentityProvider, alice: ProviderUser
) -> None:
    for generation in range(1, 6):
        signing_in = [asyncio.create_task(sign_in(client)) for _ in range(3)]
        await users.end_sessions(alice.subject, generation)
        for one in [(await each).json() for each in signing_in]:
            renewed = await ask(client, "refresh_token", refresh_token=one["refresh_token"])
            assert generation_of(one["access_token"]) == (generation if renewed.status_code == 200 else generation - 1)


async def test_a_service_account_is_updated_disabled_and_ended_like_a_person(
    client: AsyncClient, users: IdentityProvider
) -> None:
    account = await users.create_service("billing", Profile(email="", role="viewer"))
    form = {"client_id": "billing", "client_secret": account.secret}
    await users.update(account.subject, Profile(email="", name="Billing", role="agent"))
    await users.end_sessions(account.subject, 7)
    token = (await ask(client, "client_credentials", **form)).json()["access_token"]
    await users.disable(account.subject)
    refused = await ask(client, "client_credentials", **form)

    assert json.loads(jws.extract_compact(token.encode()).payload)["role"] == "agent"
    assert generation_of(token) == 7
    assert refused.status_code == 401
    with pytest.raises(UserMissing):
        await users.invite(account.subject)


async def test_a_new_secret_takes_the_place_of_the_one_before(client: AsyncClient, users: IdentityProvider) -> None:
    account = await users.create_service("billing", Profile(email="", role="viewer"))
    again = await users.new_service_secret(account.subject)
    statuses = [
        (await ask(client, "client_credentials", client_id="billing", client_secret=one.secret)).status_code
        for one in (account, again)
    ]

    assert (again.subject, again.client_id) == (account.subject, "billing")
    assert statuses == [401, 200]
    assert again.secret not in repr(again)


async def test_a_deleted_service_account_gets_no_tokens_and_its_name_has_another_subject(
    client: AsyncClient, users: IdentityProvider
) -> None:
    account = await users.create_service("billing", Profile(email=""))
    found = await users.find_service("billing")
    await users.delete_service(account.subject)
    refused = await ask(client, "client_credentials", client_id="billing", client_secret=account.secret)

    assert found == account.subject
    assert refused.status_code == 401
    assert await users.find_service("billing") is None
    assert (await users.create_service("billing", Profile(email=""))).subject != account.subject


async def test_a_person_is_no_service_account(
    client: AsyncClient, users: IdentityProvider, alice: ProviderUser
) -> None:
    for call in (users.new_service_secret(alice.subject), users.delete_service(alice.subject)):
        with pytest.raises(UserMissing):
            await call

    assert (await sign_in(client)).status_code == 200


@pytest.mark.parametrize(("name", "error"), [("billing", UserExists), ("vinc-docs", UserExists), ("a b", VincError)])
async def test_a_service_account_has_a_name_of_its_own(
    users: IdentityProvider, name: str, error: type[VincError]
) -> None:
    await users.create_service("billing", Profile(email=""))

    with pytest.raises(error):
        await users.create_service(name, Profile(email=""))
