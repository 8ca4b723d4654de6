"""Guessing passwords gets nobody anywhere, and finds out nothing (threat T17)."""

from __future__ import annotations

import asyncio

import pytest
from httpx import AsyncClient

from vinc_identity.contracts import IdentityProvider, Profile, ProviderUser
from vinc_testing import Database, VincApp

from .conftest import PASSWORD, CountingHasher, ask, guess, sign_in

REFUSED = (400, b'{"error":"invalid_grant","error_description":"Invalid user credentials"}')


async def test_twenty_wrong_passwords_lock_the_account_for_a_quarter_of_an_hour(
    client: AsyncClient, alice: ProviderUser, vinc_app: VincApp
) -> None:
    guesses = await guess(client, 20)
    locked = await sign_in(client)
    vinc_app.clock.advance(minutes=14)
    still = await sign_in(client)
    vinc_app.clock.advance(minutes=2)
    free = await sign_in(client)

    assert guesses == [REFUSED] * 20
    assert [(one.status_code, one.content) for one in (locked, still)] == [REFUSED, REFUSED]
    assert free.status_code == 200


async def test_old_failures_do_not_count(client: AsyncClient, alice: ProviderUser, vinc_app: VincApp) -> None:
    await guess(client, 9)
    vinc_app.clock.advance(minutes=16)
    await guess(client, 9)

    assert (await sign_in(client)).status_code == 200


async def test_concurrent_guesses_are_all_counted(client: AsyncClient, alice: ProviderUser) -> None:
    guesses = [sign_in(client, password=f"guess {number}") for number in range(12)]
    answers = await asyncio.gather(*guesses, sign_in(client))

    assert [(one.status_code, one.content) for one in answers] == [REFUSED] * 13


async def test_known_unknown_disabled_and_locked_accounts_get_the_same_answer_after_the_same_work(
    client: AsyncClient, alice: ProviderUser, users: IdentityProvider, hasher: CountingHasher, vinc_database: Database
) -> None:
    disabled = await users.create(Profile(email="disabled@acme.example"))
    await users.set_password(disabled.subject, PASSWORD)
    await users.disable(disabled.subject)
    await users.create(Profile(email="invited@acme.example"))
    await users.create(Profile(email="locked@acme.example"))
    await guess(client, 10, "locked@acme.example")
    seen = []
    for name in ("alice", "nobody", "disabled", "invited", "locked"):
        before = hasher.verified
        (answer,) = await guess(client, 1, f"{name}@acme.example")
        seen.append((answer, hasher.verified - before))

    assert seen == [(REFUSED, 1)] * 5


async def test_an_unknown_address_is_counted_like_a_known_one(
    client: AsyncClient, users: IdentityProvider, vinc_database: Database
) -> None:
    await guess(client, 10, "later@acme.example")
    made = await users.create(Profile(email="later@acme.example"))
    await users.set_password(made.subject, PASSWORD)

    assert (await sign_in(client, email="later@acme.example")).status_code == 400
    keys = [key for (key,) in vinc_database.admin.execute("select key from devissuer_failure order by 1").fetchall()]
    assert [len(key) for key in keys if key != "address 127.0.0.1"] == [64]


async def test_fifty_guesses_lock_the_address_and_no_other(
    client: AsyncClient, vinc_app: VincApp, alice: ProviderUser
) -> None:
    for number in range(10):
        await guess(client, 5, f"somebody{number}@acme.example")
    async with vinc_app.client(host="192.0.2.7") as other:
        answers = [await sign_in(one) for one in (client, other)]

    assert [one.status_code for one in answers] == [400, 200]


async def test_an_address_is_never_taken_from_a_header(client: AsyncClient, alice: ProviderUser) -> None:
    for number in range(50):
        headers = {"X-Forwarded-For": f"192.0.2.{number}", "Forwarded": f"for=192.0.2.{number}"}
        form = {"grant_type": "password", "username": f"{number}@acme.example", "password": "x"}
        await client.post("/devissuer/token", data=form, headers=headers)

    assert (await sign_in(client)).status_code == 400


async def test_a_service_accounts_secret_is_guarded_as_well(
    client: AsyncClient, users: IdentityProvider, hasher: CountingHasher
) -> None:
    made = await users.create_service("billing", Profile(email=""))
    for client_id in ("billing", "nobody"):
        before = hasher.verified
        for _ in range(10):
            await ask(client, "client_credentials", client_id=client_id, client_secret="wrong")
        assert hasher.verified - before == 10
    answer = await ask(client, "client_credentials", client_id="billing", client_secret=made.secret)

    assert answer.json()["error"] == "invalid_client"


async def test_many_may_sign_in_from_one_address(client: AsyncClient, alice: ProviderUser) -> None:
    answers = await asyncio.gather(*(sign_in(client) for _ in range(9)))
    more = [(await sign_in(client)).status_code for _ in range(50)]

    assert [one.status_code for one in answers] == [200] * 9
    assert set(more) == {200}


@pytest.mark.parametrize("password", [PASSWORD.upper(), f"{PASSWORD} ", f" {PASSWORD}", PASSWORD[:-1]])
async def test_a_password_is_compared_to_the_letter(client: AsyncClient, alice: ProviderUser, password: str) -> None:
    assert (await sign_in(client, password=password)).status_code == 400
