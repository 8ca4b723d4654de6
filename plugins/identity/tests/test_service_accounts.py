"""Machines: registered by an operator, for a time; all others are refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from vinc_identity.commands import people
from vinc_identity.commands import service_accounts as commands
from vinc_identity.contracts import ProviderUnavailable, UserExists
from vinc_identity.errors import Refused
from vinc_kernel import App, VincError
from vinc_testing import Database, VincApp, eventually

from .conftest import ELSEWHERE, ISSUER, Caller, FakeProvider, SignIn, machine, row_of

Printed = pytest.CaptureFixture[str]

NEXT_YEAR = (datetime.now(UTC) + timedelta(days=365)).date()
WRONG: dict[str, list[object]] = {
    "name": [
        "",
        "Billing",
        "billing export",
        "-x",
        "x" * 64,
        "a\nb",
        "deadbeef" * 4,
        "0199f3c8-0000-7000-8000-000000000000",
    ],
    "tenant": ["nowhere", "", "0199f3c8-0000-7000-8000-000000000000"],
    "role": ["super_admin", "nobody", ""],
    "expires": [date(2020, 1, 1), datetime.now(UTC).date()],
}


async def create(app: App, **more: object) -> None:
    values = {"name": "billing", "tenant": "acme", "role": "supplier_admin", "expires": NEXT_YEAR, **more}
    await commands.create(app, **values)  # type: ignore[arg-type]  # each of its type, or wrong on purpose


@pytest.fixture(autouse=True)
def acme(vinc_database: Database) -> None:
    vinc_database.add_tenant("acme")


async def test_an_unregistered_service_account_is_refused_and_not_stored(
    sign_in: SignIn, vinc_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    answers = [await sign_in("crawler", **machine("crawler")).me() for _ in range(2)]

    assert [one.status_code for one in answers] == [401, 401]
    assert vinc_database.admin.execute("select count(*) from identity_principal").fetchall() == [(0,)]
    assert "no service account is registered for the subject crawler" in caplog.text


async def test_a_registered_service_account_has_its_role_and_tenant(
    app: App, sign_in: SignIn, provider: FakeProvider, vinc_database: Database, capsys: Printed
) -> None:
    await create(app)
    output = capsys.readouterr().out
    profile = provider.users["billing"].profile
    me = (await sign_in("billing", profile.role, tuple(profile.tenants), **machine("billing")).me()).json()

    assert output.count("secret of billing") == 1
    assert "client id: billing\n" in output
    assert (me["kind"], me["role"], me["tenant"]["slug"]) == ("service", "wholesale_admin", "acme")
    assert row_of(vinc_database, "billing", "kind, name, role, expires_at") == (
        *("service", "billing", "wholesale_admin"),
        datetime(NEXT_YEAR.year, NEXT_YEAR.month, NEXT_YEAR.day, tzinfo=UTC),
    )


async def test_an_expired_service_account_is_refused_with_a_valid_token(
    app: App, sign_in: SignIn, vinc_app: VincApp
) -> None:
    await create(app)
    billing = sign_in("billing", **machine("billing"))
    before = await billing.status()
    vinc_app.clock.advance(days=365)

    assert (before, await billing.status()) == (200, 401)


async def test_a_service_account_is_not_taken_for_a_person_and_the_reverse(app: App, sign_in: SignIn) -> None:
    await create(app)
    as_person = await sign_in("billing").me()
    person = sign_in("alice")
    seen = [await one.status() for one in (person, sign_in("alice", **machine("alice")), person)]

    assert as_person.status_code == 401
    assert seen == [200, 401, 200]


async def test_a_service_account_is_listed_disabled_enabled_and_signed_out(
    app: App, sign_in: SignIn, boss: Caller, provider: FakeProvider, capsys: Printed
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
        statuses += [await one.status() for one in (billing, sign_in("billing", **machine("billing")))]
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
    assert printed.splitlines()[1].split() == [
        *("billing", str(principal), "acme", "wholesale_admin", "active", str(NEXT_YEAR)),
        "never",
    ]
    assert "secret" not in printed


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
async def test_invalid_service_accounts_are_refused_in_one_line(
    app: App, provider: FakeProvider, vinc_database: Database, field: str, value: object
) -> None:
    with pytest.raises(Refused) as caught:
        await create(app, **{field: value})

    assert "\n" not in str(caught.value)
    assert provider.users == {}
    assert vinc_database.admin.execute("select count(*) from identity_principal").fetchall() == [(0,)]


async def test_all_principals_are_listed_with_role_and_tenant_of_service_accounts(
    app: App, sign_in: SignIn, vinc_database: Database, capsys: Printed
) -> None:
    await create(app)
    await create(app, name="archive", role="viewer")
    await commands.disable(app, "archive")
    vinc_database.admin.execute("update identity_principal set expires_at = now() where subject = 'billing'")
    await sign_in("alice", "viewer", ("acme",)).id()
    capsys.readouterr()
    await people.list(app)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]

    assert [[*line[:2], *line[3:6]] for line in lines] == [
        ["person", "alice", "active", "never", ISSUER],
        ["service", "archive", "viewer", "acme", "disabled"],
        ["service", "billing", "wholesale_admin", "acme", "expired"],
    ]


async def test_a_name_that_is_registered_is_refused(app: App) -> None:
    await create(app)
    with pytest.raises(UserExists):
        await create(app)


async def test_an_unregistered_account_at_the_provider_is_deleted_by_name_and_created_again(
    app: App, sign_in: SignIn, provider: FakeProvider, vinc_database: Database, capsys: Printed
) -> None:
    vinc_database.admin.execute("alter table identity_principal rename to away")
    with pytest.raises(VincError):
        await create(app)
    vinc_database.admin.execute("alter table away rename to identity_principal")
    with pytest.raises(Refused, match="vinc identity service-account delete billing deletes it"):
        await create(app)
    await commands.delete(app, "billing")
    output = capsys.readouterr().out
    await create(app)

    assert "billing was not registered here" in output
    assert provider.calls == [("delete", "billing")]
    assert await sign_in("billing", **machine("billing")).status() == 200


async def test_an_account_registered_by_another_name_is_not_deleted(
    app: App, provider: FakeProvider, vinc_database: Database
) -> None:
    await create(app)
    vinc_database.admin.execute("update identity_principal set name = 'bills'")
    with pytest.raises(Refused, match="there is no service account"):
        await commands.delete(app, "billing")

    assert await provider.find_service("billing") == "billing"


async def test_a_new_secret_is_printed_once_and_ends_old_tokens(
    app: App, sign_in: SignIn, provider: FakeProvider, capsys: Printed
) -> None:
    await create(app)
    billing = sign_in("billing", **machine("billing"))
    principal = await billing.id()
    capsys.readouterr()
    await commands.new_secret(app, "billing")
    output = capsys.readouterr().out

    assert output.splitlines() == [
        "client id: billing",
        "secret: new secret of billing",
        "this secret cannot be shown again",
        f"billing {principal} is signed out everywhere",
    ]
    assert provider.calls == [("secret", "billing"), ("end", "billing", 1)]
    assert [await one.status() for one in (billing, sign_in("billing", **machine("billing")))] == [401, 200]


async def test_a_new_secret_is_refused_without_a_provider_for_the_issuer(app: App, provider: FakeProvider) -> None:
    await create(app)
    provider.knows_all = False
    provider.users.clear()
    with pytest.raises(Refused, match="vinc identity service-account delete"):
        await commands.new_secret(app, "billing")
    provider.issuer = ELSEWHERE
    with pytest.raises(Refused, match="no identity provider that is enabled here"):
        await commands.new_secret(app, "billing")

    assert provider.calls == []


async def test_a_deleted_account_is_refused_on_every_worker_and_a_new_one_has_another_id(
    app: App,
    sign_in: SignIn,
    provider: FakeProvider,
    vinc_database: Database,
    vinc_second_app: VincApp,
    capsys: Printed,
) -> None:
    await create(app)
    billing = sign_in("billing", **machine("billing"))
    principal = await billing.id()
    async with vinc_second_app.client() as elsewhere:

        async def answers(status: int) -> bool:
            return (await Caller(elsewhere, billing.token).me()).status_code == status

        await eventually(partial(answers, 200))
        await commands.delete(app, "billing")
        here = await billing.status()
        await eventually(partial(answers, 401))

    assert here == 401
    assert f"billing {principal} is deleted" in capsys.readouterr().out
    assert provider.users == {}
    assert vinc_database.admin.execute("select count(*) from identity_principal").fetchall() == [(0,)]
    await create(app)
    assert await sign_in("billing", **machine("billing")).id() != principal


async def test_a_failed_deletion_disables_the_account_and_can_be_repeated(
    app: App, sign_in: SignIn, provider: FakeProvider, vinc_database: Database
) -> None:
    await create(app)
    billing = sign_in("billing", **machine("billing"))
    await billing.id()
    provider.down = True
    with pytest.raises(Refused, match=r"disabled, and not deleted yet.*run this again"):
        await commands.delete(app, "billing")
    refused = await billing.status()
    provider.down, provider.knows_all = False, False
    provider.users.clear()  # it was done there, and we have not heard of it
    await commands.delete(app, "billing")

    assert refused == 401
    assert vinc_database.admin.execute("select count(*) from identity_principal").fetchall() == [(0,)]


async def test_for_an_unmanaged_issuer_it_is_deleted_here_only(
    app: App, provider: FakeProvider, vinc_database: Database, capsys: Printed
) -> None:
    await create(app)
    provider.issuer = ELSEWHERE
    await commands.delete(app, "billing")

    assert f"{ISSUER}, which created it, is not managed from here" in capsys.readouterr().out
    assert provider.calls == []
    assert vinc_database.admin.execute("select count(*) from identity_principal").fetchall() == [(0,)]


async def test_a_service_account_named_as_a_person_names_the_right_command(app: App) -> None:
    await create(app)
    for command, verb in ((people.disable, "disable"), (people.enable, "enable"), (people.end_sessions, "end")):
        with pytest.raises(Refused) as refused:
            await command(app, "billing")
        assert str(refused.value) == f"billing is a service account: vinc identity service-account {verb} billing"


async def test_without_the_provider_nothing_is_registered(
    app: App, provider: FakeProvider, vinc_database: Database
) -> None:
    provider.down = True
    with pytest.raises(ProviderUnavailable):
        await create(app)

    assert vinc_database.admin.execute("select count(*) from identity_principal").fetchall() == [(0,)]


async def test_an_unknown_account_and_a_person_are_refused(app: App, sign_in: SignIn) -> None:
    person = str(await sign_in().id())
    for account in ("nobody", "0199f3c8-0000-7000-8000-000000000000", "", person):
        for command in (commands.disable, commands.enable, commands.end, commands.new_secret, commands.delete):
            with pytest.raises(Refused, match="vinc identity service-account list"):
                await command(app, account)
