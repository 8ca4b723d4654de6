"""When principals were seen: noted in memory, and written in one statement."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vinc_identity.directory import StoredPrincipals
from vinc_identity.service import last_seen
from vinc_kernel import App, VincError
from vinc_testing import Database

from .conftest import SignIn, row_of

PEOPLE = [f"person{number}" for number in range(20)]


def seen_at(database: Database, subject: str = "alice") -> datetime | None:
    (last_seen_at,) = row_of(database, subject, "last_seen")
    return last_seen_at if last_seen_at is None else datetime.fromisoformat(str(last_seen_at))


async def test_last_seen_of_all_is_written_in_one_statement(app: App, sign_in: SignIn, vinc_database: Database) -> None:
    people = [sign_in(one) for one in PEOPLE]
    for one in people:
        await one.id()
    assert seen_at(vinc_database, PEOPLE[0]) is None
    await last_seen.write(app)
    statements = vinc_database.admin.execute(
        "select distinct xmin::text, cmin::text from identity_principal"
    ).fetchall()

    assert len(statements) == 1
    for subject in PEOPLE:
        seen = seen_at(vinc_database, subject)
        assert seen is not None
        assert abs(datetime.now(UTC) - seen) < timedelta(seconds=10)


async def test_last_seen_is_written_once(
    app: App, sign_in: SignIn, stored: StoredPrincipals, vinc_database: Database
) -> None:
    principal = await sign_in().id()
    await last_seen.write(app)
    vinc_database.admin.execute("update identity_principal set last_seen = null")
    await last_seen.write(app)

    assert seen_at(vinc_database) is None
    assert principal not in stored.last_seen


async def test_a_later_time_of_another_worker_is_kept(app: App, sign_in: SignIn, vinc_database: Database) -> None:
    await sign_in().id()
    vinc_database.admin.execute("update identity_principal set last_seen = '2100-01-01T00:00:00Z'")
    await last_seen.write(app)

    assert seen_at(vinc_database) == datetime(2100, 1, 1, tzinfo=UTC)


async def test_a_failed_write_is_repeated_with_the_next(
    app: App, sign_in: SignIn, stored: StoredPrincipals, vinc_database: Database
) -> None:
    """The latest moment counts, also of those who are seen again meanwhile."""
    alice, bob = await sign_in().id(), await sign_in("bob", email="bob@acme.example").id()
    stored.emails[bob] = "robert@acme.example"
    vinc_database.admin.execute("alter table identity_principal rename to identity_away")
    try:
        with pytest.raises(VincError):
            await last_seen.write(app)
    finally:
        vinc_database.admin.execute("alter table identity_away rename to identity_principal")
    later = app.now() + timedelta(seconds=100)
    stored.last_seen[alice] = later
    await last_seen.write(app)

    assert seen_at(vinc_database) == later
    assert seen_at(vinc_database, "bob") is not None
    assert row_of(vinc_database, "bob", "email") == ("robert@acme.example",)


async def test_a_new_address_is_written_with_it(app: App, sign_in: SignIn, vinc_database: Database) -> None:
    """Else an operator would not find them any more to disable them."""
    await sign_in(email="alice@acme.example").id()
    await sign_in(email="Alice.Smith@acme.example").id()
    await sign_in(email=None).id()
    await last_seen.write(app)

    assert row_of(vinc_database, "alice", "email") == ("alice.smith@acme.example",)


async def test_a_refused_request_does_not_count_as_seen(
    app: App, sign_in: SignIn, stored: StoredPrincipals, vinc_database: Database
) -> None:
    alice = sign_in()
    await alice.id()
    await last_seen.write(app)
    vinc_database.admin.execute("update identity_principal set disabled = true, last_seen = null")
    stored.cache.clear()  # what is written behind its back
    assert await alice.status() == 401
    await last_seen.write(app)

    assert seen_at(vinc_database) is None
