"""PostgreSQL's pool: waited for at start, recovering by itself, asked for its health on a line of its own."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from time import monotonic

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url

from vinc_kernel.app import create_app
from vinc_kernel.database.postgres import Postgres
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.errors import ConnectionAbsent, DatabaseError, DeadlineExceeded, Unavailable
from vinc_kernel.lifespan import connections
from vinc_kernel.runtime import Runtime
from vinc_kernel.settings import DatabaseSettings, KernelSettings, RedisSettings, ServiceSettings
from vinc_testing.servers import Servers

from ..conftest import OURS, database_settings
from ..opening import postgres
from .proxy import Proxy, proxy_to_postgres
from .things import Number

PASSWORD = "pa55w0rd"
TEST = ServiceSettings(env="test")


ONE = select(func.abs(1).label("number"))


@pytest.fixture
async def line(things_address: str, admin: psycopg.Connection) -> AsyncGenerator[Proxy]:
    async with proxy_to_postgres(things_address) as (made, _):
        yield made


def through(line: Proxy, address: str, **more: object) -> DatabaseSettings:
    url = make_url(address).set(host="127.0.0.1", port=line.port, query={}, password=PASSWORD)
    return database_settings(url.render_as_string(hide_password=False), **more)


async def works(pool: Postgres) -> bool:
    async with pool.session(Scope(OURS)) as db:
        return (await db.one(ONE, Number)).number == 1


async def within(seconds: float, call: Callable[[], Awaitable[object]]) -> float:
    """How long until the call succeeds; fails after so many seconds."""
    began = monotonic()
    while True:
        try:
            await call()
        except Unavailable:
            assert monotonic() - began < seconds
            await asyncio.sleep(0.1)
        else:
            return monotonic() - began


async def test_the_pool_has_the_sizes_of_the_settings(things_address: str, admin: psycopg.Connection) -> None:
    async with postgres(database_settings(things_address, pool_size=2, max_overflow=1, pool_timeout=3)) as pool:
        assert (pool.pool.min_size, pool.pool.max_size, pool.pool.timeout) == (2, 3, 3)
        assert len(ours_on_the_server(admin)) == 2


def ours_on_the_server(admin: psycopg.Connection) -> list[int]:
    query = "select pid from pg_stat_activity where application_name = 'vinc' and datname = current_database()"
    return [pid for (pid,) in admin.execute(query).fetchall()]


async def test_all_connections_are_closed_at_the_stop(things_address: str, admin: psycopg.Connection) -> None:
    async with postgres(database_settings(things_address)) as pool:
        await pool.probe.ping()
        assert await works(pool)
    await asyncio.sleep(0.1)

    assert ours_on_the_server(admin) == []


async def test_a_server_that_is_down_at_start_is_waited_for(
    line: Proxy, things_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    line.refuse = True
    asyncio.get_running_loop().call_later(0.3, setattr, line, "refuse", False)
    with caplog.at_level(logging.WARNING, "vinc.postgres"):
        async with postgres(through(line, things_address)) as pool:
            assert await works(pool)

    assert f"127.0.0.1:{line.port}" in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("silent", [False, True])
async def test_a_server_that_stays_down_stops_the_start_with_one_line(
    line: Proxy, things_address: str, *, silent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    line.refuse, line.silent = not silent, silent
    began = monotonic()
    with pytest.raises(DatabaseError) as refused:
        await opened(through(line, things_address, start_timeout=1))

    assert monotonic() - began < 2
    assert f"127.0.0.1:{line.port} was not there within 1 s" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert PASSWORD not in str(refused.value) + caplog.text


async def opened(settings: DatabaseSettings) -> None:
    async with postgres(settings):
        pass


async def test_a_refusal_of_the_server_is_told(things_address: str) -> None:
    address = make_url(things_address).set(database="nothing").render_as_string(hide_password=False)

    with pytest.raises(DatabaseError, match='database "nothing" does not exist'):
        await opened(database_settings(address, start_timeout=0.5))


async def test_fewer_connections_than_wanted_stop_the_start(
    things_address: str, admin: psycopg.Connection, vinc_servers: Servers
) -> None:
    role = psycopg.sql.Identifier(str(make_url(things_address).username))
    others = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s"  # of tests before
    admin.execute(others, [make_url(things_address).username])
    admin.execute(psycopg.sql.SQL("alter role {} connection limit 2").format(role))
    try:
        with pytest.raises(DatabaseError, match="VINC_DB_POOL_SIZE"):
            await opened(database_settings(things_address, pool_size=5, start_timeout=1))
    finally:
        admin.execute(psycopg.sql.SQL("alter role {} connection limit -1").format(role))


async def test_without_an_address_the_setting_is_named() -> None:
    runtime = create_app(KernelSettings(service=TEST), plugins=[]).runtime
    with pytest.raises(ConnectionAbsent, match="VINC_DATABASE_URL"):
        await fail_inside(runtime)


async def test_killed_connections_are_replaced_before_anybody_gets_them(
    things_address: str, admin: psycopg.Connection
) -> None:
    async with postgres(database_settings(things_address, pool_size=3, max_overflow=0)) as pool:
        for pid in ours_on_the_server(admin):
            admin.execute("select pg_terminate_backend(%s, 1000)", [pid])

        assert all(await asyncio.gather(*(works(pool) for _ in range(12))))


async def test_pool_and_health_are_back_soon_after_the_server(line: Proxy, things_address: str) -> None:
    async with postgres(through(line, things_address, pool_size=2, max_overflow=0, pool_timeout=1)) as pool:
        await pool.probe.ping()
        line.refuse = True
        line.cut()
        with pytest.raises(Unavailable):
            await pool.probe.ping()
        with pytest.raises(Unavailable):
            await works(pool)
        await asyncio.sleep(1)
        line.refuse = False

        assert await within(5, pool.probe.ping) < 1
        assert await within(5, lambda: works(pool)) < 5


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_server_that_goes_silent_is_given_up_in_time(
    line: Proxy, things_address: str, read_only: bool, admin: psycopg.Connection
) -> None:
    settings = through(line, things_address, pool_size=1, max_overflow=0, answer_timeout=0.5)
    async with postgres(settings) as pool:
        line.silent = True
        began = monotonic()
        with pytest.raises(DeadlineExceeded):
            async with pool.session(Scope(OURS, read_only=read_only)) as db:
                await db.one(ONE, Number)

        assert monotonic() - began < 1
        line.silent = False
        line.cut()
        await within(10, lambda: works(pool))


async def test_who_lifts_the_limits_may_take_longer(things_address: str, admin: psycopg.Connection) -> None:
    settings = database_settings(things_address, pool_size=1, max_overflow=0, answer_timeout=0.3)
    sleep = text("select 1 as number from pg_sleep(0.6)")
    async with postgres(settings) as pool:
        async with pool.session(Scope(OURS)) as db:
            await db.lift_time_limits()
            assert (await db.one(sleep, Number)).number == 1
        with pytest.raises(DeadlineExceeded):
            async with pool.session(Scope(OURS)) as db:
                await db.one(sleep, Number)


async def test_a_silent_server_fails_its_check_in_a_second(line: Proxy, things_address: str) -> None:
    async with postgres(through(line, things_address)) as pool:
        await pool.probe.ping()
        line.silent = True
        began = monotonic()
        answers = await asyncio.gather(*(pool.probe.ping() for _ in range(5)), return_exceptions=True)

        assert monotonic() - began < 2
        assert [type(answer) for answer in answers] == [Unavailable] * 5
        line.cut()
        line.silent = False
        await pool.probe.ping()


async def test_a_full_pool_makes_nobody_unready(things_address: str, admin: psycopg.Connection) -> None:
    async with postgres(database_settings(things_address, pool_size=1, max_overflow=0)) as pool:
        unit = pool.unit(Scope(OURS))
        await DatabaseSession(unit).one(ONE, Number)
        async with asyncio.timeout(1):
            await pool.probe.ping()
        await unit.close()


async def test_a_check_that_is_cancelled_spoils_nothing(things_address: str, admin: psycopg.Connection) -> None:
    async with postgres(database_settings(things_address)) as pool:
        for _ in range(5):
            asking = asyncio.create_task(pool.probe.ping())
            await asyncio.sleep(0)
            asking.cancel()
        await pool.probe.ping()


async def test_the_connections_of_an_application_open_in_order_and_report_their_health(
    line: Proxy, things_address: str, vinc_servers: Servers
) -> None:
    redis = RedisSettings.model_validate({"url": vinc_servers.redis})
    settings = KernelSettings(service=TEST, database=through(line, things_address), redis=redis)
    runtime = create_app(settings, plugins=[]).runtime
    async with connections(runtime):
        found = {check.name: check for check in runtime.registry.checks}
        for check in found.values():
            await check.ask()
        line.cut()
        line.refuse = True
        with pytest.raises(Unavailable):
            await found["postgres"].ask()

        assert {name: check.required for name, check in found.items()} == {"postgres": True, "redis": False}


async def test_a_start_that_fails_half_way_closes_what_it_opened(
    things_address: str, admin: psycopg.Connection
) -> None:
    settings = KernelSettings(service=TEST, database=database_settings(things_address))
    runtime = create_app(settings, plugins=[]).runtime
    with pytest.raises(RuntimeError, match="a plugin fails"):
        await fail_inside(runtime)
    await asyncio.sleep(0.1)

    assert ours_on_the_server(admin) == []


async def fail_inside(runtime: Runtime) -> None:
    async with connections(runtime):
        message = "a plugin fails"
        raise RuntimeError(message)
