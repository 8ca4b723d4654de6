"""Sessions end, and principals are disabled and enabled: at once here, and at the provider once it can be told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from time import time
from uuid import UUID, uuid4

import pytest
from httpx import Response

from vinc_identity import repository
from vinc_identity.contracts import IdentityProvider, ProviderUser
from vinc_identity.directory import StoredPrincipals
from vinc_identity.service import provider_sync
from vinc_kernel import App, Principal
from vinc_testing import Database, VincApp

from .conftest import ELSEWHERE, Caller, FakeProvider, SignIn, expire_leases, row_of

VERBS = ("disable", "enable", "end-sessions")


async def change(boss: Caller, principal: UUID, verb: str) -> Response:
    return await boss.ask("POST", f"/identity/principals/{principal}/{verb}")


async def test_a_disabled_person_is_refused_and_needs_a_new_token_once_enabled(
    sign_in: SignIn, boss: Caller, provider: FakeProvider
) -> None:
    alice = sign_in()
    principal = await alice.id()
    answer = await change(boss, principal, "disable")
    refused = await alice.me()

    assert (answer.status_code, answer.json()["disabled"], answer.json()["provider"]) == (200, True, "confirmed")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert provider.calls == [("disable", "alice"), ("end", "alice", 1)]
    assert await sign_in().status() == 401

    answer = await change(boss, principal, "enable")
    assert (answer.json()["disabled"], answer.json()["provider"]) == (False, "confirmed")
    assert provider.calls[2:] == [("enable", "alice")]
    assert [await one.status() for one in (alice, sign_in())] == [401, 200]


async def test_sessions_end_and_a_login_within_the_same_second_works_whatever_the_clock_says(
    sign_in: SignIn, boss: Caller
) -> None:
    """Threats T7: the number decides, and not `iat`."""
    alice = sign_in(iat=int(time()) + 20)
    principal = await alice.id()
    answer = await change(boss, principal, "end-sessions")
    again = sign_in(iat=int(time()) - 20)

    assert (answer.status_code, answer.json()["provider"]) == (200, "confirmed")
    assert [await one.status() for one in (alice, again, alice)] == [401, 200, 401]
    await change(boss, principal, "end-sessions")
    assert [await one.status() for one in (alice, again, sign_in())] == [401, 401, 200]


async def test_ending_own_sessions_ends_no_others(sign_in: SignIn, provider: FakeProvider) -> None:
    alice, elsewhere, bob = sign_in(), sign_in(), sign_in("bob")
    assert [await one.status() for one in (alice, elsewhere, bob)] == [200] * 3
    answer = await alice.ask("POST", "/identity/sessions/end")

    assert (answer.status_code, answer.json()) == (200, {"provider": "confirmed"})
    assert [await one.status() for one in (alice, elsewhere, bob, sign_in())] == [401, 401, 200, 200]
    assert provider.calls == [("end", "alice", 1)]


async def test_while_the_provider_is_down_all_tokens_are_refused_until_it_is_synchronised(
    sign_in: SignIn, boss: Caller, provider: FakeProvider, app: App, vinc_database: Database
) -> None:
    """Threats T8: the session that could not be ended is refreshed, and gets a newer token with the old number."""
    alice = sign_in()
    principal = await alice.id()
    provider.down = True
    ended = await change(boss, principal, "end-sessions")
    disabled = await change(boss, principal, "disable")
    enabled = await change(boss, principal, "enable")

    assert [(one.status_code, one.json()["provider"]) for one in (ended, disabled, enabled)] == [(200, "pending")] * 3
    assert [await one.status() for one in (alice, sign_in())] == [401, 401]
    await provider_sync.sync_due(app)  # another one has just tried
    expire_leases(vinc_database)
    await provider_sync.sync_due(app)
    assert [await one.status() for one in (alice, sign_in())] == [401, 401]

    provider.down = False
    expire_leases(vinc_database)
    await provider_sync.sync_due(app)
    principal_now = await boss.ask("GET", f"/identity/principals/{principal}")
    assert provider.calls == [("end", "alice", 2), ("enable", "alice")]
    assert principal_now.json()["provider"] == "confirmed"
    assert [await one.status() for one in (alice, sign_in(), sign_in(vinc_generation=1))] == [401, 200, 401]


async def test_sessions_of_a_disabled_person_end_after_a_failed_first_attempt(
    sign_in: SignIn, boss: Caller, provider: FakeProvider, app: App, vinc_database: Database
) -> None:
    alice = sign_in()
    provider.down = True
    await change(boss, await alice.id(), "disable")
    provider.down = False
    expire_leases(vinc_database)
    await provider_sync.sync_due(app)

    assert provider.calls == [("disable", "alice"), ("end", "alice", 1)]
    assert [await one.status() for one in (alice, sign_in())] == [401, 401]


async def test_a_change_during_a_synchronisation_is_synchronised_too(
    sign_in: SignIn, boss: Caller, provider: FakeProvider, vinc_database: Database
) -> None:
    principal = await sign_in().id()
    await boss.id()

    async def enable_meanwhile() -> None:
        provider.before = None
        answer = await change(boss, principal, "enable")
        assert answer.json()["provider"] == "pending"  # somebody tells it already

    provider.before = enable_meanwhile
    answer = await change(boss, principal, "disable")

    assert provider.calls == [("disable", "alice"), ("end", "alice", 1), ("enable", "alice")]
    assert (answer.json()["disabled"], answer.json()["provider"]) == (False, "confirmed")
    columns = "disabled, provider_synced, generation, provider_generation, lease_expires_at"
    assert row_of(vinc_database, "alice", columns) == (False, True, 1, 1, None)


async def test_no_connection_is_held_while_the_provider_is_called(
    sign_in: SignIn, boss: Caller, provider: FakeProvider, vinc_app: VincApp, vinc_database: Database
) -> None:
    principal = await sign_in().id()
    held: list[int] = []
    query = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in %'"

    async def look() -> None:
        ((count,),) = vinc_database.admin.execute(query).fetchall()
        held.append(count)

    provider.before = look
    await change(boss, principal, "end-sessions")

    assert held == [0]


async def test_one_principal_that_fails_does_not_block_the_others(
    sign_in: SignIn, boss: Caller, provider: FakeProvider, app: App, vinc_database: Database
) -> None:
    people = [await sign_in(subject).id() for subject in ("alice", "bob", "carol")]
    provider.down = True
    for one in people:
        await change(boss, one, "end-sessions")
    vinc_database.admin.execute("update identity_principal set lease_expires_at = null")
    await provider_sync.sync_due(app)  # it stops at the first one, which is not due for a while
    provider.down = False
    await provider_sync.sync_due(app)

    assert len(provider.calls) == 2
    expire_leases(vinc_database)
    await provider_sync.sync_due(app)
    assert {call[1] for call in provider.calls} == {"alice", "bob", "carol"}


async def test_two_workers_do_not_synchronise_the_same_principal(
    sign_in: SignIn, provider: FakeProvider, vinc_database: Database, vinc_second_app: VincApp, app: App
) -> None:
    vinc_second_app.override(IdentityProvider, provider)
    people = [await sign_in(f"person{number}").id() for number in range(6)]
    vinc_database.admin.execute("update identity_principal set generation = 1")

    async def other() -> None:
        provider.before = None
        await provider_sync.sync_due(vinc_second_app.plugin("identity"))

    provider.before = other
    await provider_sync.sync_due(app)

    assert sorted(call[1] for call in provider.calls) == [f"person{number}" for number in range(len(people))]


async def test_a_user_missing_at_the_provider_counts_as_synchronised(
    sign_in: SignIn, boss: Caller, provider: FakeProvider
) -> None:
    provider.knows_all = False
    alice = sign_in()
    answer = await change(boss, await alice.id(), "disable")

    assert answer.json()["provider"] == "confirmed"
    assert await alice.status() == 401


async def test_for_an_unmanaged_issuer_disabling_works_and_ending_sessions_is_409(
    sign_in: SignIn, boss: Caller, provider: FakeProvider, vinc_database: Database
) -> None:
    provider.issuer = ELSEWHERE
    alice = sign_in()
    principal = await alice.id()
    own = await alice.ask("POST", "/identity/sessions/end")
    ended, disabled = [await change(boss, principal, verb) for verb in ("end-sessions", "disable")]
    refused = await alice.status()
    enabled = await change(boss, principal, "enable")

    assert [(one.status_code, one.json()["type"]) for one in (own, ended)] == [
        (409, "urn:vinc:problem:sessions-not-endable")
    ] * 2
    assert "disable the principal instead" in own.json()["title"]
    assert [(one.status_code, one.json()["provider"]) for one in (disabled, enabled)] == [(200, "none")] * 2
    assert (refused, await alice.status()) == (401, 200)
    assert row_of(vinc_database, "alice", "generation") == (0,)
    assert provider.calls == []


async def test_nobody_disables_themselves(boss: Caller) -> None:
    answer = await change(boss, await boss.id(), "disable")

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:vinc:problem:disables-itself")
    assert await boss.status() == 200


async def test_repeating_a_change_is_no_error(sign_in: SignIn, boss: Caller, vinc_database: Database) -> None:
    principal = await sign_in().id()
    answers = [await change(boss, principal, verb) for verb in ("disable", "disable", "enable", "enable")]

    assert [one.json()["disabled"] for one in answers] == [True, True, False, False]
    assert row_of(vinc_database, "alice", "generation, provider_generation") == (1, 1)
    assert await sign_in().status() == 200


async def test_enabling_enables_also_whom_somebody_disabled_at_the_provider(
    sign_in: SignIn, boss: Caller, provider: FakeProvider
) -> None:
    principal = await sign_in().id()
    provider.users["alice"] = ProviderUser(
        subject="alice", profile=(await provider.get("alice")).profile, enabled=False
    )
    await change(boss, principal, "end-sessions")
    between = provider.users["alice"].enabled
    await change(boss, principal, "enable")

    assert (between, provider.users["alice"].enabled) == (False, True)


@pytest.mark.parametrize("verb", VERBS)
async def test_somebody_unknown_is_404(boss: Caller, verb: str) -> None:
    assert (await change(boss, uuid4(), verb)).status_code == 404


async def test_a_provider_that_counts_ahead_of_us_makes_everybody_sign_in_anew(
    sign_in: SignIn, provider: FakeProvider, app: App, vinc_database: Database
) -> None:
    """As after a backup was restored: which of its sessions we had ended, nobody knows any more."""
    await sign_in().id()
    provider.generations["alice"] = 7
    ahead = sign_in()
    seen = [await ahead.status() for _ in range(3)]
    await provider_sync.sync_due(app)

    assert seen == [401] * 3
    assert row_of(vinc_database, "alice", "generation, provider_generation") == (8, 8)
    assert [await one.status() for one in (ahead, sign_in())] == [401, 200]


async def test_for_an_unmanaged_issuer_the_highest_generation_counts(
    provider: FakeProvider, stored: StoredPrincipals
) -> None:
    """Somebody else ends sessions there, and stamps what we have not counted."""
    provider.issuer = "urn:another"
    tokens = [
        Principal(subject="alice", role="", issuer=ELSEWHERE, claims={"vinc_generation": generation})
        for generation in (3, 4, 3, 4, 9, 4)
    ]
    seen = [await stored.resolve(one) for one in tokens]

    assert [one is not None for one in seen] == [True, True, False, True, True, False]


async def test_a_disabled_person_is_refused_with_empty_caches(
    sign_in: SignIn, boss: Caller, app: App, stored: StoredPrincipals
) -> None:
    """Threats T10: PostgreSQL decides, and Valkey only makes it faster."""
    alice = sign_in()
    await change(boss, await alice.id(), "disable")
    await app.redis.flushall()
    stored.cache.clear()

    assert await alice.status() == 401


def test_the_timeouts_are_shorter_than_the_lease_and_than_five_seconds() -> None:
    assert timedelta(seconds=provider_sync.TIMEOUT) < repository.LEASE
    assert provider_sync.REQUEST_TIMEOUT <= 5


async def test_a_slow_provider_leaves_it_pending_and_is_synchronised_in_the_background(
    sign_in: SignIn,
    boss: Caller,
    provider: FakeProvider,
    app: App,
    vinc_database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provider_sync, "REQUEST_TIMEOUT", 0.05)
    alice = sign_in()
    principal = await alice.id()
    provider.before = partial(asyncio.sleep, 0.2)
    answers = [await alice.ask("POST", "/identity/sessions/end"), await change(boss, principal, "end-sessions")]
    expire_leases(vinc_database)
    await provider_sync.sync_due(app)

    assert [(one.status_code, one.json()["provider"]) for one in answers] == [(200, "pending")] * 2
    assert row_of(vinc_database, "alice", "generation, provider_generation") == (2, 2)


async def test_a_token_of_another_issuer_is_not_the_principal_whose_sessions_end(
    stored: StoredPrincipals, sign_in: SignIn, boss: Caller
) -> None:
    """Threats T6."""
    theirs = Principal(subject="alice", role="", issuer=ELSEWHERE)
    before = await stored.resolve(theirs)
    await change(boss, await sign_in().id(), "disable")

    assert before is not None
    assert await stored.resolve(theirs) == before
