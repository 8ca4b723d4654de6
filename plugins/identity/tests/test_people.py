"""Operators make super admins, and say who may still come in."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from vinc_identity.commands import people as commands
from vinc_identity.contracts import Profile, ProviderUnavailable, ProviderUser
from vinc_identity.errors import Refused
from vinc_identity.service import provider_sync
from vinc_kernel import App
from vinc_testing import Database

from .conftest import ISSUER, FakeProvider, SignIn, expire_leases, row_of

EMAIL = "root@vinc.example"
Printed = pytest.CaptureFixture[str]


async def create(app: App, printed: Printed, **more: object) -> str:
    printed.readouterr()
    await commands.create_super_admin(app, **{"email": EMAIL, "name": "Root", **more})  # type: ignore[arg-type]  # each of its type, or wrong on purpose
    return printed.readouterr().out


@pytest.fixture
def alice(provider: FakeProvider) -> ProviderUser:
    """Somebody whom the provider knows, with a tenant."""
    profile = Profile(email="alice@acme.example", name="Alice", role="viewer", tenants=("acme",), customers=("c",))
    user = provider.users["alice"] = ProviderUser(subject="alice", profile=profile)
    return user


async def test_a_super_admin_is_created_and_gets_a_link_once(
    app: App, provider: FakeProvider, vinc_database: Database, capsys: Printed
) -> None:
    first = await create(app, capsys, email="Root@VINC.example")
    second = await create(app, capsys)
    (user,) = provider.users.values()

    assert "created the super admin root@vinc.example" in first
    assert first.count(f"https://sign.in/{user.subject}") == 1
    assert user.profile == Profile(email=EMAIL, name="Root", role="super_admin")
    assert "there is already" in second
    assert "https" not in second
    assert f"vinc identity invite {EMAIL}" in second
    assert (provider.invited, provider.calls, provider.passwords) == ([user.subject], [], {})
    assert row_of(vinc_database, user.subject, "kind, email, name, disabled") == ("person", EMAIL, "Root", False)
    await commands.invite(app, EMAIL)
    assert capsys.readouterr().out.count("https://sign.in/") == 1


async def test_where_the_provider_sends_mails_it_says_so(app: App, provider: FakeProvider, capsys: Printed) -> None:
    provider.sends_mail = True

    assert "a mail was sent" in await create(app, capsys)


async def test_a_temporary_password_is_printed_only_if_generated(
    app: App, provider: FakeProvider, capsys: Printed
) -> None:
    chosen = await create(app, capsys, temp_password="Chosen-by-me-1")
    of_operator = dict(provider.passwords)
    generated = await create(app, capsys, temp_password=True)
    password, temporary = provider.passwords["user-0"]
    await create(app, capsys, temp_password=True)

    assert provider.passwords["user-0"] != (password, temporary)
    assert of_operator == {"user-0": ("Chosen-by-me-1", True)}
    assert "Chosen-by-me-1" not in chosen
    assert generated.count(password) == 1
    assert (len(password), temporary, provider.invited) == (20, True, [])
    assert all(any(test(one) for one in password) for test in (str.isupper, str.islower, str.isdigit))


async def test_an_existing_user_is_promoted_and_keeps_the_profile(
    app: App, provider: FakeProvider, alice: ProviderUser, capsys: Printed
) -> None:
    first = await create(app, capsys, email=alice.profile.email, name="Alice Smith")
    second = await create(app, capsys, email=alice.profile.email, name="Somebody Else")

    assert "promoted to super admin: alice@acme.example" in first
    assert "there is already" in second
    assert provider.users["alice"].profile == replace(alice.profile, role="super_admin", name="Alice Smith")
    assert (provider.calls, provider.invited) == ([("update", "alice", "super_admin")], [])


async def test_without_activation_a_super_admin_is_disabled_until_enabled(
    app: App, provider: FakeProvider, vinc_database: Database, capsys: Printed
) -> None:
    output = await create(app, capsys, activate=False)
    again = await create(app, capsys, activate=False)

    disabled = f"the user is disabled: vinc identity enable {EMAIL}"
    invite = f"vinc identity invite {EMAIL} sends a link to choose a password"
    assert output.splitlines()[1:] == [disabled, f"after that the user still needs a password: {invite}"]
    assert again.splitlines()[1:] == [disabled, f"nothing was sent: {invite}"]
    assert provider.calls == [("disable", "user-0"), ("end", "user-0", 1), ("update", "user-0", "super_admin")]
    assert (provider.invited, provider.users["user-0"].enabled) == ([], False)
    assert row_of(vinc_database, "user-0", "disabled") == (True,)
    await commands.enable(app, EMAIL)
    assert provider.users["user-0"].enabled
    await create(app, capsys, activate=False)
    assert provider.users["user-0"].enabled  # twice is harmless


async def test_a_second_run_completes_what_a_failing_provider_interrupted(
    app: App, provider: FakeProvider, vinc_database: Database, capsys: Printed
) -> None:
    provider.down = True
    with pytest.raises(ProviderUnavailable):
        await create(app, capsys, activate=False)
    provider.down = False
    calls = 0

    async def fail_later() -> None:
        nonlocal calls
        calls += 1
        provider.down = calls > 3  # find and create answer, and then nothing does

    provider.before = fail_later
    with pytest.raises(Refused, match="try again later"):
        await create(app, capsys, activate=False)
    assert {one.profile.role for one in provider.users.values()} == {""}
    provider.before, provider.down = None, False
    expire_leases(vinc_database)
    await create(app, capsys, activate=False)
    await provider_sync.sync_due(app)
    (user,) = provider.users.values()

    assert (user.profile.role, user.enabled) == ("super_admin", False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("email", value) for value in ("", "root", "root@", "@vinc.example", "a b@vinc.example", "x" * 300)),
        *(("name", value) for value in ("", "  ", "a\nb", "x" * 201)),
        *(("temp_password", value) for value in ("", "  ", "short", "elevenchars")),
    ],
)
async def test_invalid_arguments_are_refused_in_one_line_before_any_change(
    app: App, provider: FakeProvider, capsys: Printed, field: str, value: str
) -> None:
    with pytest.raises(Refused) as caught:
        await create(app, capsys, **{field: value})

    assert "\n" not in str(caught.value)
    assert provider.users == {}


@pytest.mark.parametrize("override_provider", [None])
async def test_without_a_provider_the_error_says_what_to_enable(app: App, capsys: Printed) -> None:
    with pytest.raises(Refused, match="vinc plugins enable keycloak"):
        await create(app, capsys)
    with pytest.raises(Refused, match="neither here nor"):
        await commands.disable(app, "nobody@acme.example")


async def test_people_are_named_by_id_and_by_address_and_listed(
    app: App, sign_in: SignIn, provider: FakeProvider, capsys: Printed
) -> None:
    provider.users["alice"] = ProviderUser(subject="alice", profile=Profile(email="alice@acme.example"))
    alice = sign_in(email="Alice@Acme.example")
    principal = await alice.id()
    seen = []
    for command, person in (
        (commands.disable, "ALICE@acme.example"),
        (commands.enable, str(principal)),
        (commands.end_sessions, "alice@acme.example"),
    ):
        await command(app, person)
        seen += [await one.status() for one in (alice, sign_in())]
    output = capsys.readouterr().out.splitlines()
    await commands.list(app)
    (head, row) = capsys.readouterr().out.splitlines()

    assert seen == [401, 401, 401, 200, 401, 200]
    assert [line.partition(f"{principal} ")[2] for line in output] == [
        "is disabled",
        "is enabled",
        "is signed out everywhere",
    ]
    assert head.split() == ["kind", "principal", "id", "role", "tenant", "state", "last", "seen", "issuer"]
    assert row.split() == ["person", "alice@acme.example", str(principal), "active", "never", ISSUER]


async def test_pending_synchronisations_are_printed_and_listed(
    app: App, sign_in: SignIn, provider: FakeProvider, capsys: Printed
) -> None:
    people = [str(await sign_in(one).id()) for one in ("alice", "bob")]
    provider.down = True
    await commands.disable(app, people[0])
    await commands.end_sessions(app, people[1])
    assert capsys.readouterr().out.count("could not be updated yet") == 2
    await commands.list(app)
    printed = capsys.readouterr().out

    assert [re.split(" {2,}", line)[1:4] for line in printed.splitlines()[1:]] == [
        ["alice", people[0], "disabled, pending"],
        ["bob", people[1], "active, pending"],
    ]


async def test_a_user_who_never_signed_in_can_be_disabled_by_address(
    app: App, sign_in: SignIn, provider: FakeProvider, alice: ProviderUser
) -> None:
    await commands.disable(app, alice.profile.email)

    assert not provider.users["alice"].enabled
    assert await sign_in().status() == 401


async def test_an_address_that_only_tokens_claim_names_nobody(
    app: App, sign_in: SignIn, vinc_database: Database
) -> None:
    """Threats T13: a user who was made anew has the address of the one before."""
    ids = {str(await sign_in(one, email="alice@acme.example").id()) for one in ("first", "second")}
    with pytest.raises(Refused) as caught:
        await commands.disable(app, "alice@acme.example")

    assert all(one in str(caught.value) for one in ids)
    assert row_of(vinc_database, "first", "disabled") == (False,)


async def test_while_the_provider_is_away_an_address_is_refused_with_the_ids_that_work(
    app: App, sign_in: SignIn, provider: FakeProvider, vinc_database: Database
) -> None:
    alice = sign_in(email="alice@acme.example")
    principal = await alice.id()
    provider.down = True
    with pytest.raises(Refused, match=f"nothing has changed.*ids work without the provider: {principal}"):
        await commands.disable(app, "alice@acme.example")
    await commands.disable(app, str(principal))

    assert await alice.status() == 401
    assert row_of(vinc_database, "alice", "disabled") == (True,)


async def test_the_provider_decides_whose_address_it_is(
    app: App, sign_in: SignIn, alice: ProviderUser, vinc_database: Database
) -> None:
    """Threats T12: whoever takes another's address is not taken for them."""
    await sign_in("mallory", email=alice.profile.email).id()
    await commands.disable(app, alice.profile.email)

    assert row_of(vinc_database, "mallory", "disabled") == (False,)
    assert row_of(vinc_database, "alice", "disabled") == (True,)


@pytest.mark.parametrize("person", ["0199f3c8-0000-7000-8000-000000000000", "nobody@acme.example", "", "alice"])
async def test_an_unknown_person_is_refused_in_one_line(app: App, person: str) -> None:
    for command in (commands.disable, commands.enable, commands.end_sessions):
        with pytest.raises(Refused) as caught:
            await command(app, person)
        assert "\n" not in str(caught.value)
    with pytest.raises(Refused):
        await commands.invite(app, person)
