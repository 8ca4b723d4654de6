"""The database is down: the answer is 503, as nobody is known to be enabled, and `last_seen` is not lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest
from psycopg import sql

from vinc_identity.directory import StoredPrincipals
from vinc_identity.service import last_seen
from vinc_kernel import App
from vinc_testing import Database, eventually

from .conftest import Caller, SignIn, machine, row_of

HANG_UP = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid() and usename not like 'postgres'"
)
SECONDS_TO_BELIEVE = 1.5  # half more than is promised: the machine that runs this may be busy
SECONDS_TO_COME_BACK = 15  # the pool tries again after longer and longer pauses
WAITS = "0.3"  # seconds for a connection
Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def vinc_environment(vinc_environment: Mapping[str, str]) -> Mapping[str, str]:
    return {**vinc_environment, "VINC_DB_POOL_TIMEOUT": WAITS}


@pytest.fixture
def away(vinc_database: Database) -> Away:
    """The database hangs up on the application, and takes no call of it until the block ends."""

    def limit(connections: int) -> None:
        name = sql.Identifier(vinc_database.name)
        vinc_database.admin.execute(sql.SQL("alter database {} connection limit {}").format(name, connections))

    @contextmanager
    def taken_away() -> Iterator[None]:
        limit(0)
        vinc_database.admin.execute(HANG_UP)
        try:
            yield
        finally:
            limit(-1)

    return taken_away


async def status_is(caller: Caller, *statuses: int) -> bool:
    return await caller.status() in statuses


async def test_while_the_database_is_down_it_is_503_for_all_within_a_second_and_never_200_for_somebody_disabled(
    sign_in: SignIn, boss: Caller, away: Away
) -> None:
    alice, bob, new = sign_in(), sign_in("bob"), sign_in("carol")
    await alice.id()
    await boss.ask("POST", f"/identity/principals/{await bob.id()}/disable")
    with away():
        await eventually(partial(status_is, alice, 503), seconds=SECONDS_TO_BELIEVE + float(WAITS))
        answers = [await one.me() for one in (alice, bob, new, sign_in("crawler", **machine("crawler")))]

    assert [one.status_code for one in answers] == [503] * 4
    assert {one.headers["content-type"] for one in answers} == {"application/problem+json"}
    await eventually(partial(status_is, alice, 200), seconds=SECONDS_TO_COME_BACK)
    assert [await one.status() for one in (bob, new)] == [401, 200]


async def test_last_seen_is_written_when_the_database_is_back(
    sign_in: SignIn,
    app: App,
    stored: StoredPrincipals,
    vinc_database: Database,
    away: Away,
    caplog: pytest.LogCaptureFixture,
) -> None:
    principal = await sign_in().id()

    async def is_written() -> bool:
        await last_seen.write_on_shutdown(app)
        return principal not in stored.last_seen

    with away():
        assert not await is_written()
    await eventually(is_written, seconds=SECONDS_TO_COME_BACK)

    assert "could not write when principals were last seen" in caplog.text
    assert row_of(vinc_database, "alice", "last_seen is not null") == (True,)
