"""Whoever looks after the issuer sees what is locked, and can unlock it; whoever guesses cannot fill the log."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from httpx import AsyncClient

from vinc_devissuer.commands import locked, unlock
from vinc_identity.contracts import IdentityProvider, Profile, ProviderUser
from vinc_kernel import App, VincError
from vinc_testing import VincApp

from .conftest import ALICE, PASSWORD, ask, guess, sign_in

HERE = "127.0.0.1"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]


def rows(capsys: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    for line in capsys.readouterr().out.splitlines()[1:]:
        yield re.split(" {2,}", line)


async def test_a_lock_of_an_account_is_one_line_with_its_id_however_many_tries_follow(
    client: AsyncClient, alice: ProviderUser, caplog: pytest.LogCaptureFixture
) -> None:
    await guess(client, 9)
    before = warnings(caplog)
    await asyncio.gather(*(sign_in(client, password=f"guess {number}") for number in range(25)))

    assert before == []
    assert warnings(caplog) == [f"the account {alice.subject} is locked for 15 minutes: 10 sign-ins were refused"]


async def test_guessing_unknown_accounts_does_not_fill_the_log(
    client: AsyncClient, alice: ProviderUser, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(12):
        await guess(client, 12, f"nobody{number}@acme.example")

    assert warnings(caplog) == [f"the address {HERE} is locked for 15 minutes: 50 sign-ins were refused"]
    assert "nobody" not in "".join(one.getMessage() for one in caplog.records)


async def test_nine_wrong_passwords_and_a_right_one_lock_nothing_and_are_not_logged(
    client: AsyncClient, alice: ProviderUser, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        await guess(client, 9)
        assert (await sign_in(client)).status_code == 200

    assert warnings(caplog) == []


async def test_locked_accounts_and_addresses_are_listed(
    app: App,
    client: AsyncClient,
    alice: ProviderUser,
    users: IdentityProvider,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await users.create_service("billing", Profile(email=""))
    await users.create(Profile(email="bob@acme.example"))
    await guess(client, 9, "bob@acme.example")
    await guess(client, 10)
    for _ in range(10):
        await ask(client, "client_credentials", client_id="billing", client_secret="wrong")
    await guess(client, 21, "nobody@acme.example")
    await locked(app)
    seen = list(rows(capsys))
    now = datetime.now(UTC).replace(tzinfo=None)
    moments = [[datetime.fromisoformat(text) for text in row[1:]] for row in seen]

    assert [row[0] for row in seen] == [ALICE, "billing", HERE]
    assert all(timedelta(0) <= now - since < timedelta(minutes=1) for since, _ in moments)
    assert all(until - since == timedelta(minutes=15) for since, until in moments)


async def test_accounts_and_addresses_are_unlocked_however_an_account_is_written(
    app: App, client: AsyncClient, alice: ProviderUser, users: IdentityProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await users.create_service("billing", Profile(email=""))
    for _ in range(10):
        await ask(client, "client_credentials", client_id="billing", client_secret="wrong")
    await guess(client, 10)
    await guess(client, 30, "nobody@acme.example")
    refused = await sign_in(client)
    for name in ("Alice@ACME.example", HERE, "billing"):
        await unlock(app, name)
    capsys.readouterr()
    await locked(app)
    machine = await ask(client, "client_credentials", client_id="billing", client_secret=made.secret)

    assert list(rows(capsys)) == []
    assert [one.status_code for one in (refused, await sign_in(client), machine)] == [400, 200, 200]


@pytest.mark.parametrize("name", ["", ALICE, "nobody", "192.0.2.7", "\udcff"])
async def test_unlocking_something_unknown_is_refused(app: App, alice: ProviderUser, name: str) -> None:
    with pytest.raises(VincError, match="vinc devissuer locked"):
        await unlock(app, name)


async def test_a_caller_of_any_name_is_counted_and_its_name_is_not_kept(
    vinc_app: VincApp, client: AsyncClient, alice: ProviderUser, caplog: pytest.LogCaptureFixture
) -> None:
    async with vinc_app.client(host=PASSWORD * 500) as other:  # as a trusted proxy may name a caller
        await guess(other, 50, "nobody@acme.example")
        answer = await sign_in(other)

    (line,) = warnings(caplog)
    assert answer.status_code == 400
    assert PASSWORD not in line
    assert len(line) < 200
