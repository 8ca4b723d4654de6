"""What one worker changes, every other one forgets: at once by the bus, and without it within a second."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import psycopg
import pytest
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from vinc_kernel.cache.message import LONGEST
from vinc_kernel.context import Context, asking
from vinc_kernel.database.scope import Scope
from vinc_kernel.errors import Unavailable
from vinc_testing.servers import Servers, conninfo

from ..conftest import OURS
from .bouncer import bouncer
from .proxy import Proxy, proxy_to_socket
from .things import add
from .workers import SECONDS, Worker, worker

KERNEL = """
create table if not exists vinc_change (topic text primary key, number bigint not null default 0);
truncate vinc_change;
grant select, insert, update on vinc_change to public;
"""
WATCHERS = "select pid from pg_stat_activity where application_name = 'vinc-changes' and datname = current_database()"


@pytest.fixture
def address(things_address: str, admin: psycopg.Connection) -> str:
    admin.execute(KERNEL)
    return things_address


@pytest.fixture
def redis_url(vinc_servers: Servers) -> str:
    return vinc_servers.redis


@pytest.fixture(params=["notify", "redis"])
async def pair(request: pytest.FixtureRequest, address: str, redis_url: str) -> AsyncGenerator[tuple[Worker, Worker]]:
    """Two workers that have cached the quantities of three things."""
    async with AsyncExitStack() as stack:
        redis = redis_url if request.param == "redis" else ""
        first, second = [await stack.enter_async_context(worker(address, redis)) for _ in range(2)]
        await stocked(first, second)
        yield first, second


async def stocked(*workers: Worker) -> None:
    """Three things, whose quantities these workers keep; nothing is under way any more."""
    await add(workers[0].runtime.database, "ink", "nails", "paper")
    await asyncio.sleep(0.1)
    for one in workers:
        await one.loads("ink", "nails", "paper")
        assert await one.loads("ink", "nails", "paper") == []


async def test_what_one_worker_changes_the_other_forgets_and_nothing_else(pair: tuple[Worker, Worker]) -> None:
    first, second = pair
    await first.change("ink", 1)

    assert await first.loads("ink", "nails", "paper") == ["ink"]
    await second.until(lambda: "ink" not in second.cached.kept)
    assert await second.loads("ink", "nails", "paper") == ["ink"]
    assert await second.cached.get("ink") == 1


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


async def test_many_keys_in_one_transaction_are_told_by_one_short_message(
    address: str, admin: psycopg.Connection
) -> None:
    with psycopg.connect(conninfo(address), autocommit=True) as listener:  # as the application's role
        async with worker(address) as one:
            listener.execute(f"listen {one.runtime.changes.channel}")
            other = one.runtime.changes.cached("things.other", one.load, 10)
            async with one.runtime.database.session(Scope(OURS)) as db:
                for number in range(10_000):
                    one.cached.invalidate(db, f"mario{number}@example.com")
                other.invalidate(db, "luigi@example.com")
            async with one.runtime.database.session(Scope(OURS)) as db:
                one.cached.invalidate(db, "peach@example.com")
        heard = [one.payload for one in listener.notifies(timeout=0.5)]

    assert len(heard) == 2
    assert heard[0].splitlines()[1] == "things.quantity 1 *"
    assert all(len(payload.encode()) <= LONGEST and "@" not in payload for payload in heard)
    assert admin.execute("select topic, number from vinc_change order by 1").fetchall() == [
        ("things.other", 1),
        ("things.quantity", 2),
    ]


async def test_a_message_that_would_be_too_long_makes_everybody_look(address: str) -> None:
    async with worker(address) as first, worker(address) as second:
        await stocked(first, second)
        async with first.runtime.database.session(Scope(OURS)) as db:
            await first.set(db, "ink", 2)
            for number in range(8):
                first.runtime.changes.cached(f"things.with_a_long_name_{number}", first.load, 1).invalidate(db, "key")

        assert await second.sees("ink", 2) < SECONDS


async def test_a_listener_that_is_killed_comes_back_and_nothing_old_is_answered_meanwhile(
    address: str, admin: psycopg.Connection
) -> None:
    async with worker(address) as first, worker(address) as second:
        await stocked(first, second)
        assert len(admin.execute(WATCHERS).fetchall()) == 2
        admin.execute(WATCHERS.replace("pid", "pg_terminate_backend(pid)", 1))
        await first.change("ink", 9)

        assert await second.sees("ink", 9) < SECONDS
        await second.until(lambda: second.runtime.changes.are_known)
        await first.change("nails", 9)
        assert await second.sees("nails", 9) < SECONDS


@pytest.fixture
async def bus(redis_url: str) -> AsyncGenerator[Proxy]:
    async with proxy_to_socket(redis_url.removeprefix("unix://")) as made:
        yield made


@pytest.fixture
async def on_bus(address: str, bus: Proxy) -> AsyncGenerator[tuple[Worker, Worker]]:
    """Two workers with a line to Redis that can be cut."""
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


async def test_a_line_to_redis_that_goes_silent_alone_is_made_anew(on_bus: tuple[Worker, Worker], bus: Proxy) -> None:
    first, second = on_bus
    bus.silent = True
    await asyncio.sleep(2.5)  # longer than the silence that a subscription puts up with
    bus.silent = False  # what went over the old lines meanwhile is lost, and they stay open

    await back_on_bus(first, second)


async def back_on_bus(first: Worker, second: Worker) -> None:
    """A change is heard of key by key again, which a look at the numbers does not tell."""
    for attempt in range(20):
        await asyncio.sleep(0.3)
        await second.loads("ink", "nails", "paper")
        await first.change("paper", 100 + attempt)
        await second.sees("paper", 100 + attempt)
        if await second.loads("ink", "nails") == []:
            return
    pytest.fail("changes are not heard of through Redis any more")


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


@pytest.fixture
async def line(address: str) -> AsyncGenerator[Proxy]:
    """A line to PostgreSQL that can be silenced and cut."""
    url = make_url(address)
    async with proxy_to_socket(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}") as made:
        yield made


def over(line: Proxy, address: str) -> str:
    return make_url(address).set(host="127.0.0.1", port=line.port, query={}).render_as_string(hide_password=False)


async def test_while_the_numbers_cannot_be_read_nothing_old_is_answered(address: str, line: Proxy) -> None:
    async with worker(address) as first, worker(address, direct=over(line, address)) as second:
        await stocked(first, second)
        line.silent = True
        await first.change("ink", 8)

        assert await second.sees("ink", 8) < SECONDS
        assert await second.loads("nails", "nails") == ["nails", "nails"]
        line.silent = False
        line.cut()
        await second.until(lambda: second.runtime.changes.are_known)
        await second.loads("nails")
        assert await second.loads("nails") == []


async def test_behind_a_pooler_changes_are_seen_at_the_next_look(address: str) -> None:
    with bouncer(address, connections=4) as pooled:
        async with worker(pooled) as first, worker(pooled) as second:
            await stocked(first, second)
            await first.change("ink", 3)

            assert await second.sees("ink", 3) < SECONDS
            assert await second.loads("nails") == ["nails"]  # nothing told which key it was


async def test_behind_a_pooler_changes_are_heard_of_on_the_direct_line(address: str) -> None:
    with bouncer(address, connections=4) as pooled:
        async with worker(pooled, direct=address) as first, worker(pooled, direct=address) as second:
            await stocked(first, second)
            await first.change("ink", 3)

            assert await second.sees("ink", 3) < SECONDS
            assert await second.loads("nails") == []


async def test_with_a_database_that_is_away_nothing_is_answered(address: str, line: Proxy) -> None:
    async with worker(over(line, address)) as one:
        await stocked(one)
        line.refuse = True
        line.cut()
        await one.until(lambda: not one.runtime.changes.are_known)

        with pytest.raises(Unavailable):
            await one.cached.get("ink")
        line.refuse = False
        await one.until(lambda: one.runtime.changes.are_known)


async def test_what_follows_changes_knows_of_no_request(address: str) -> None:
    """Threats I22: also when it all starts in the middle of one."""
    heard: list[Context | None] = []
    around = contextvars.copy_context()
    around.run(asking.set, Context(request_id="somebody's"))

    async def live() -> None:
        async with worker(address) as one:
            one.runtime.changes.look = lambda: heard.append(asking.get())
            async with one.runtime.database.session(Scope(OURS)) as db:
                one.runtime.changes.note(db, "things.quantity", None)
            one.runtime.changes.numbers.clear()
            with psycopg.connect(conninfo(address), autocommit=True) as other:
                other.execute(f"notify {one.runtime.changes.channel}")
            await one.until(lambda: bool(heard))

    await asyncio.create_task(live(), context=around)

    assert heard == [None]


async def test_without_the_table_of_numbers_everything_works_uncached(
    address: str, admin: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    admin.execute("drop table vinc_change")
    async with worker(address) as one:
        await add(one.runtime.database, "ink")

        assert await one.loads("ink", "ink") == ["ink", "ink"]
    assert "changes cannot be followed (42P01)" in caplog.text
