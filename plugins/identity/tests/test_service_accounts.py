"""Machines: registered by an operator, for a time; all others are refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from vinc_identity.commands import service_accounts as commands
from vinc_identity.contracts import ProviderUnavailable, UserExists
from vinc_identity.directory import StoredPrincipals
from vinc_identity.errors import Refused
from vinc_kernel import App
from vinc_kernel.testing import Database

from .conftest import Caller, FakeProvider, SignIn, machine, row_of

NEXT_YEAR = (datetime.now(UTC) + timedelta(days=365)).date()
WRONG: dict[str, list[object]] = {
    "name": ["", "Billing", "billing export", "-x", "x" * 64, "a\nb"],
    "tenant": ["nowhere", "", "0199f3c8-0000-7000-8000-000000000000"],
    "role": ["super_admin", "nobody", ""],
    "expires": [date(2020, 1, 1), datetime.now(UTC).date()],
}


async def create(app: App, **more: object) -> None:
    given = {"name": "billing", "tenant": "acme", "role": "supplier_admin", "expires": NEXT_YEAR, **more}
    await commands.create(app, **given)  # type: ignore[arg-type]  # each of its type, or wrong on purpose


@pytest.fixture(autouse=True)
def acme(vinc_database: Database) -> None:
    vinc_database.add_tenant("acme")


async def test_a_machine_that_nobody_registered_is_refused_and_not_remembered(
    sign_in: SignIn, vinc_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    answers = [await sign_in("crawler", **machine("crawler")).me() for _ in range(2)]

    assert [one.status_code for one in answers] == [401, 401]
    assert vinc_database.admin.execute("select count(*) from identity_principal").fetchall() == [(0,)]
    assert "no service account is registered for the subject crawler" in caplog.text


async def test_a_registered_machine_comes_in_with_its_role_and_tenant(
    app: App, sign_in: SignIn, provider: FakeProvider, vinc_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await create(app)
    told = capsys.readouterr().out
    profile = provider.users["billing"].profile
    me = (await sign_in("billing", profile.role, tuple(profile.tenants), **machine("billing")).me()).json()

    assert told.count("secret of billing") == 1
    assert "client id: billing\n" in told
    assert (me["kind"], me["role"], me["tenant"]["slug"]) == ("service", "wholesale_admin", "acme")
    assert row_of(vinc_database, "billing", "kind, name, role, expires_at") == (
        *("service", "billing", "wholesale_admin"),
        datetime(NEXT_YEAR.year, NEXT_YEAR.month, NEXT_YEAR.day, tzinfo=UTC),
    )


async def test_an_expired_machine_is_refused_although_its_token_is_not(
    app: App, sign_in: SignIn, stored: StoredPrincipals, vinc_database: Database
) -> None:
    await create(app)
    billing = sign_in("billing", **machine("billing"))
    seen = [(await billing.me()).status_code]
    soon = "update identity_principal set expires_at = clock_timestamp() + interval '0.3 s'"
    vinc_database.admin.execute(soon)
    stored.known.clear()  # what is written behind its back
    while (await billing.me()).status_code == 200:
        seen.append(200)

    assert seen[0] == 200
    assert len(seen) > 1
    assert (await billing.me()).status_code == 401


async def test_a_machine_is_no_person_and_a_person_no_machine(app: App, sign_in: SignIn) -> None:
    await create(app)
    as_person = await sign_in("billing").me()
    person = sign_in("alice")
    seen = [(await one.me()).status_code for one in (person, sign_in("alice", **machine("alice")), person)]

    assert as_person.status_code == 401
    assert seen == [200, 401, 200]


async def test_a_machine_is_listed_disabled_enabled_and_ended_like_a_person(
    app: App, sign_in: SignIn, boss: Caller, provider: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    await create(app)
    billing = sign_in("billing", **machine("billing"))
    principal = await billing.id()
    statuses = []
    for command, account in (
        (commands.disable, "billing"),
        (commands.enable, str(principal)),
        (commands.end, "billing"),
    ):
        await command(app, account)
        statuses += [(await one.me()).status_code for one in (billing, sign_in("billing", **machine("billing")))]
    listed = (await boss.ask("GET", "/identity/principals?kind=service")).json()["items"]
    capsys.readouterr()
    await commands.list(app)
    printed = capsys.readouterr().out

    assert statuses == [401, 401, 401, 200, 401, 200]
    assert provider.calls == [
        ("disable", "billing"),
        ("end", "billing", 1),
        ("enable", "billing"),
        ("end", "billing", 2),
    ]
    assert [(one["name"], one["role"], one["provider"]) for one in listed] == [
        ("billing", "wholesale_admin", "confirmed")
    ]
    assert "billing" in printed
    assert f"{NEXT_YEAR}" in printed
    assert "secret" not in printed


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
async def test_what_can_be_no_service_account_is_refused_in_one_line(
    app: App, provider: FakeProvider, vinc_database: Database, field: str, value: object
) -> None:
    with pytest.raises(Refused) as caught:
        await create(app, **{field: value})

    assert "\n" not in str(caught.value)
    assert provider.users == {}
    assert vinc_database.admin.execute("select count(*) from identity_principal").fetchall() == [(0,)]


async def test_a_name_that_the_provider_has_is_refused(app: App) -> None:
    await create(app)
    with pytest.raises(UserExists):
        await create(app)


async def test_without_the_provider_nothing_is_registered(
    app: App, provider: FakeProvider, vinc_database: Database
) -> None:
    provider.away = True
    with pytest.raises(ProviderUnavailable):
        await create(app)

    assert vinc_database.admin.execute("select count(*) from identity_principal").fetchall() == [(0,)]


@pytest.mark.parametrize("account", ["nobody", "0199f3c8-0000-7000-8000-000000000000", ""])
async def test_an_unknown_account_is_refused(app: App, account: str) -> None:
    for command in (commands.disable, commands.enable, commands.end):
        with pytest.raises(Refused, match="vinc identity service-account list"):
            await command(app, account)


async def test_a_person_is_no_service_account(app: App, sign_in: SignIn) -> None:
    principal = await sign_in().id()
    with pytest.raises(Refused):
        await commands.disable(app, str(principal))
