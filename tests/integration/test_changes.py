"""What one worker changes, every other one drops: at once by Redis, and without it within a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import psycopg
import pytest
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from vinc_kernel.cache.redis_pubsub import channel_name
from vinc_kernel.database.scope import Scope
from vinc_kernel.errors import Unavailable
from vinc_testing.servers import Servers, conninfo

from ..conftest import OURS
from .bouncer import bouncer
from .proxy import Proxy, proxy_to_postgres, proxy_to_socket
from .things import add
from .workers import SECONDS, Worker, prepare_changes, worker

POLLS = "select pid from pg_stat_activity where application_name = 'vinc-changes' and datname = current_database()"


@pytest.fixture
def address(things_address: str, admin: psycopg.Connection) -> str:
    prepare_changes(admin)
    return things_address


@pytest.fixture
def redis_url(vinc_servers: Servers) -> str:
    return vinc_servers.redis


@pytest.fixture(params=["poll alone", "redis"])
async def pair(request: pytest.FixtureRequest, address: str, redis_url: str) -> AsyncGenerator[tuple[Worker, Worker]]:
    """Two workers that have cached the quantities of three things."""
    async with AsyncExitStack() as stack:
        redis = redis_url if request.param == "redis" else ""
        first, second = [await stack.enter_async_context(worker(address, redis)) for _ in range(2)]
        await stocked(first, second)
        yield first, second


async def stocked(*workers: Worker) -> None:
    """Three things, whose quantities these workers have cached; nothing is under way any more."""
    await add(workers[0].runtime.database, "ink", "nails", "paper")
    await asyncio.sleep(0.1)
    for one in workers:
        await one.loads("ink", "nails", "paper")
        assert await one.loads("ink", "nails", "paper") == []


async def test_what_one_worker_changes_the_other_drops(pair: tuple[Worker, Worker]) -> None:
    first, second = pair
    await first.change("ink", 1)

    assert await first.loads("ink", "nails", "paper") == ["ink"]
    assert await second.sees("ink", 1) < SECONDS


async def test_redis_tells_which_keys_changed_and_the_poll_which_topics(pair: tuple[Worker, Worker]) -> None:
    first, second = pair
    await first.change("ink", 1)
    await second.until(lambda: "ink" not in second.cached.values)

    assert await second.loads("nails") == ([] if second.runtime.redis else ["nails"])


async def test_changes_from_both_sides_and_at_once_arrive(pair: tuple[Worker, Worker]) -> None:
    await asyncio.gather(*(one.change(name, 3) for one in pair for name in ("ink", "nails", "paper")))

    for one in pair:
        assert max([await one.sees(name, 3) for name in ("ink", "nails", "paper")]) < SECONDS


async def test_what_is_rolled_back_is_kept(pair: tuple[Worker, Worker]) -> None:
    first, second = pair

    async def set_and_fail() -> None:
        async with first.runtime.database.session(Scope(OURS)) as db:
            await first.set(db, "ink", 5)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await set_and_fail()
    await asyncio.sleep(0.7)

    assert [await one.loads("ink") for one in (first, second)] == [[], []]


async def test_what_is_new_is_found_at_once_by_all(pair: tuple[Worker, Worker]) -> None:
    first, second = pair
    assert await second.cached.get("new") is None
    await add(first.runtime.database, "new")

    assert await second.cached.get("new") == 7


async def test_many_keys_in_one_transaction_are_one_message_without_any_key_in_clear(
    address: str, redis_url: str, admin: psycopg.Connection
) -> None:
    async with worker(address, redis_url) as one, Redis.from_url(redis_url) as client, client.pubsub() as listener:
        await listener.subscribe(await channel_name(one.runtime.database, one.runtime.settings.database.role_prefix))
        other = one.runtime.caches.create("things.other", one.load, 10)
        async with one.runtime.database.session(Scope(OURS)) as db:
            for number in range(10_000):
                one.cached.invalidate(db, f"mario{number}@example.com")
            other.invalidate(db, "luigi@example.com")
        async with one.runtime.database.session(Scope(OURS)) as db:
            one.cached.invalidate(db, "peach@example.com")
        received = [await listener.get_message(timeout=1) for _ in range(3)]

    first, second = [one["data"] for one in received if one is not None and one["type"] == "message"]
    assert b'{"topic":"things.quantity","version":1,"key_hashes":null}' in first
    assert b"@" not in first + second
    assert admin.execute("select topic, number from vinc_change order by 1").fetchall() == [
        ("things.other", 1),
        ("things.quantity", 2),
    ]


async def test_a_poll_whose_connection_is_killed_comes_back_and_nothing_old_is_answered_meanwhile(
    address: str, admin: psycopg.Connection
) -> None:
    async with worker(address) as first, worker(address) as second:
        await stocked(first, second)
        assert len(admin.execute(POLLS).fetchall()) == 2
        admin.execute(POLLS.replace("pid", "pg_terminate_backend(pid)", 1))
        await first.change("ink", 9)

        assert await second.sees("ink", 9) < SECONDS
        await second.until(lambda: second.is_current)
        await first.change("nails", 9)
        assert await second.sees("nails", 9) < SECONDS


@pytest.fixture
async def bus(redis_url: str) -> AsyncGenerator[Proxy]:
    async with proxy_to_socket(redis_url.removeprefix("unix://")) as made:
        yield made


@pytest.fixture
async def on_bus(address: str, bus: Proxy) -> AsyncGenerator[tuple[Worker, Worker]]:
    """Two workers with a connection to Redis that can be cut."""
    url = f"redis://127.0.0.1:{bus.port}/0"
    async with worker(address, url) as first, worker(address, url) as second:
        await stocked(first, second)
        yield first, second


async def test_while_redis_is_silent_changes_are_seen_and_when_it_is_back_it_is_used(
    on_bus: tuple[Worker, Worker], bus: Proxy
) -> None:
    first, second = on_bus
    bus.silent = True
    began = asyncio.get_running_loop().time()
    await first.change("ink", 4)

    assert asyncio.get_running_loop().time() - began < 0.3  # the bus has 0.4 s for a call: nobody waited for it
    assert await second.sees("ink", 4) < SECONDS
    bus.silent = False
    bus.cut()
    await back_on_bus(first, second)


async def test_while_redis_is_away_changes_are_seen_and_when_it_is_back_it_is_used(
    on_bus: tuple[Worker, Worker], bus: Proxy
) -> None:
    first, second = on_bus
    bus.refuse = True
    bus.cut()
    for quantity in range(3):
        await first.change("ink", quantity)
        assert await second.sees("ink", quantity) < SECONDS
    bus.refuse = False
    await back_on_bus(first, second)


async def test_a_connection_to_redis_that_goes_silent_alone_is_made_anew(
    on_bus: tuple[Worker, Worker], bus: Proxy
) -> None:
    first, second = on_bus
    bus.silent = True
    await asyncio.sleep(2.5)  # longer than the silence that a subscription puts up with
    bus.silent = False  # what was sent meanwhile is lost, and the old connections stay open

    await back_on_bus(first, second)


async def back_on_bus(first: Worker, second: Worker) -> None:
    """Changes arrive key by key again, which the poll cannot tell."""
    for attempt in range(20):
        await asyncio.sleep(0.3)
        await second.loads("ink", "nails", "paper")
        await first.change("paper", 100 + attempt)
        await second.sees("paper", 100 + attempt)
        if await second.loads("ink", "nails") == []:
            return
    pytest.fail("no change arrives through Redis any more")


async def test_a_redis_that_is_emptied_loses_nothing(on_bus: tuple[Worker, Worker], redis_url: str) -> None:
    first, second = on_bus
    async with Redis.from_url(redis_url) as client:
        await client.flushdb()
    await first.change("ink", 6)

    assert await second.sees("ink", 6) < SECONDS


async def test_two_installations_on_one_redis_do_not_hear_each_other(
    on_bus: tuple[Worker, Worker], vinc_servers: Servers, redis_url: str, address: str
) -> None:
    first, _ = on_bus
    prefix = first.runtime.settings.database.role_prefix
    database = "select system_identifier || '.' || oid from pg_control_system(), pg_database where datname = %s"
    with psycopg.connect(conninfo(vinc_servers.postgres)) as connection:
        ((identity,),) = connection.execute(database, [make_url(address).database]).fetchall()
    async with Redis.from_url(redis_url) as client:
        channels = [one.decode() for one in await client.pubsub_channels(f"{prefix}:changes:*")]

    assert channels.count(f"{prefix}:changes:{identity}") == 1


async def test_the_channel_needs_no_right_that_some_who_host_postgresql_revoke(
    address: str, redis_url: str, admin: psycopg.Connection
) -> None:
    admin.execute("revoke execute on function pg_control_system() from public")
    try:
        async with worker(address, redis_url) as one:
            assert await channel_name(one.runtime.database, "x") == f"x:changes:{make_url(address).database}"
    finally:
        admin.execute("grant execute on function pg_control_system() to public")


async def test_while_the_versions_cannot_be_read_nothing_old_is_answered(address: str) -> None:
    async with (
        proxy_to_postgres(address) as (line, through),
        worker(address) as first,
        worker(address, direct=through) as second,
    ):
        await stocked(first, second)
        line.silent = True
        await first.change("ink", 8)

        assert await second.sees("ink", 8) < SECONDS
        assert await second.loads("nails", "nails") == ["nails", "nails"]
        line.silent = False
        line.cut()
        await second.until(lambda: second.is_current)
        await second.loads("nails")
        assert await second.loads("nails") == []


async def test_behind_a_pooler_changes_are_seen(address: str) -> None:
    with bouncer(address, connections=4) as pooled:
        async with worker(pooled) as first, worker(pooled) as second:
            await stocked(first, second)
            await first.change("ink", 3)

            assert await second.sees("ink", 3) < SECONDS


async def test_with_a_database_that_is_away_nothing_is_answered(address: str) -> None:
    async with proxy_to_postgres(address) as (line, through), worker(through) as one:
        await stocked(one)
        line.refuse = True
        line.cut()
        await one.until(lambda: not one.is_current)

        with pytest.raises(Unavailable):
            await one.cached.get("ink")
        line.refuse = False
        await one.until(lambda: one.is_current)


async def test_without_the_table_of_versions_everything_works_uncached(
    address: str, admin: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    admin.execute("drop table vinc_change")
    async with worker(address) as one:
        await add(one.runtime.database, "ink")

        assert await one.loads("ink", "ink") == ["ink", "ink"]
    assert "vinc_change cannot be read (42P01)" in caplog.text
