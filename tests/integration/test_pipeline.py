"""The connection that sends several statements in one round trip, and each private name of psycopg that it uses.

A release of psycopg in which one of them means something else fails here; the sections below have their names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from time import monotonic
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from vinc_kernel.database import pipeline
from vinc_kernel.database.pipeline import MAX_PREPARED, PipelineConnection, Statement
from vinc_kernel.database.scope import Scope
from vinc_kernel.database.session import DatabaseSession
from vinc_kernel.errors import Conflict
from vinc_testing.servers import conninfo

from ..conftest import OURS, database_settings
from ..opening import postgres
from .proxy import Proxy, proxy_to_postgres
from .things import NAMES, Name, Thing, add, names, new

PREPARED = Statement(b"select name, statement from pg_prepared_statements order by name", prepare=False)
ROLLBACK = Statement(b"rollback")


@pytest.fixture
async def connection(things_address: str, admin: psycopg.Connection) -> AsyncGenerator[PipelineConnection]:
    """A connection of its own, with an empty table that only it sees."""
    async with await PipelineConnection.connect(conninfo(things_address), autocommit=True) as made:
        await made.execute("create temporary table numbers (number integer primary key)")
        yield made


@pytest.fixture
async def line(things_address: str, admin: psycopg.Connection) -> AsyncGenerator[tuple[Proxy, str]]:
    async with proxy_to_postgres(things_address) as made:
        yield made


@pytest.fixture
async def far(line: tuple[Proxy, str]) -> AsyncGenerator[PipelineConnection]:
    """A connection through the proxy."""
    async with await PipelineConnection.connect(conninfo(line[1]), autocommit=True) as made:
        yield made


def insert(number: int) -> Statement:
    return Statement(b"insert into numbers values ($1)", [number])


async def numbers(connection: PipelineConnection) -> list[int]:
    (answer,) = await connection.send([Statement(b"select number from numbers order by 1")])
    return [number for (number,) in answer.rows()]


async def prepared(connection: PipelineConnection) -> dict[str, str]:
    (answer,) = await connection.send([PREPARED])
    return dict(answer.rows())


# Results.


async def test_a_result_has_rows_names_types_row_count_and_command_tag(connection: PipelineConnection) -> None:
    key = uuid4()
    values: Sequence[Any] = [1, 2**40, "nälle", key, None, Decimal("1.50"), [1, 2], b"\0\xff"]
    kinds = ["integer", "bigint", "text", "uuid", "text", "numeric", "integer[]", "bytea"]
    columns = ", ".join(f"${index}::{kind} as c{index}" for index, kind in enumerate(kinds, 1))
    one, two, three = await connection.send(
        [Statement(f"select {columns}".encode(), values), insert(1), Statement(b"select 1 where false")]
    )

    assert one.rows() == one.rows() == [tuple(values)]
    assert one.names == [f"c{index}" for index in range(1, 9)]
    assert one.types == (23, 20, 25, 2950, 25, 1700, 1007, 17)
    assert [(each.rowcount, each.tag) for each in (one, two, three)] == [
        (1, b"SELECT 1"),
        (1, b"INSERT 0 1"),
        (0, b"SELECT 0"),
    ]
    assert (two.names, two.types, two.rows(), three.rows()) == ([], (), [], [])


async def test_a_value_that_python_has_no_room_for_fails_when_it_is_read(connection: PipelineConnection) -> None:
    (answer,) = await connection.send([Statement(b"select 'infinity'::timestamptz")])
    with pytest.raises(psycopg.DataError):
        answer.rows()

    assert await numbers(connection) == []


# generators.send, generators.fetch_many: one round trip, one transaction.


async def test_many_statements_take_one_round_trip(line: tuple[Proxy, str], far: PipelineConnection) -> None:
    statements = [Statement(f"select {number} + $1::integer".encode(), [number]) for number in range(50)]
    trips = []
    for times in (statements, statements, statements[:5] * 3):  # new, known, and twice the same
        before = line[0].trips
        answers = await far.send(times)
        trips.append(line[0].trips - before)
    before = line[0].trips
    for question in statements:
        await far.send([question])

    assert trips == [1, 1, 1]
    assert [answer.rows() for answer in answers] == [[(number * 2,)] for number in range(5)] * 3
    assert line[0].trips - before == 50


async def test_a_session_that_reads_takes_one_round_trip_and_one_that_writes_two(line: tuple[Proxy, str]) -> None:
    trips = []
    async with postgres(database_settings(line[1], pool_size=1, max_overflow=0)) as pool:
        await add(pool, "a")
        for write in (False, True):
            before = line[0].trips
            async with pool.session(Scope(OURS, read_only=not write)) as db:
                await (db.execute(new("b")) if write else db.all(NAMES, Name))
            trips.append(line[0].trips - before)

    assert trips == [1, 2]


async def test_questions_and_answers_larger_than_all_buffers_do_not_wait_for_each_other(
    far: PipelineConnection,
) -> None:
    sent = [str(number) * 1_000_000 for number in range(10)]
    async with asyncio.timeout(10):
        answers = await far.send([Statement(b"select $1::text", [each]) for each in sent])

    assert [answer.rows() for answer in answers] == [[(each,)] for each in sent]


@pytest.mark.parametrize("again", [False, True], ids=["new", "prepared before"])
async def test_an_error_in_the_middle_undoes_what_came_before_and_leaves_the_connection_idle(
    connection: PipelineConnection, *, again: bool
) -> None:
    if again:
        await connection.send([insert(1), Statement(b"delete from numbers")])
    with pytest.raises(errors.DivisionByZero):  # the first, not the unique one
        await connection.send([insert(1), Statement(b"select 1 / $1::integer", [0]), insert(2), insert(2)])

    assert connection.is_idle
    assert not connection.is_busy
    assert await numbers(connection) == []
    await connection.send([insert(1), insert(2)])
    assert await numbers(connection) == [1, 2]


async def test_an_error_in_a_transaction_leaves_it_to_be_rolled_back(connection: PipelineConnection) -> None:
    with pytest.raises(errors.UniqueViolation):
        await connection.send([Statement(b"begin"), insert(1), insert(1), insert(2)])

    assert not connection.is_idle
    with pytest.raises(errors.InFailedSqlTransaction):
        await connection.send([insert(3)])
    assert [answer.tag for answer in await connection.send([ROLLBACK, insert(4)])] == [b"ROLLBACK", b"INSERT 0 1"]
    assert await numbers(connection) == [4]


async def test_a_value_that_cannot_be_sent_costs_the_connection_as_others_were_sent_before(
    connection: PipelineConnection,
) -> None:
    with pytest.raises(psycopg.ProgrammingError):
        await connection.send([insert(1), Statement(b"select $1", [object()])])

    assert connection.closed


async def test_the_last_words_of_a_server_that_hangs_up_are_the_error(
    connection: PipelineConnection, admin: psycopg.Connection
) -> None:
    asking = asyncio.create_task(connection.send([Statement(b"select pg_sleep(9)")]))
    await asyncio.sleep(0.05)
    admin.execute("select pg_terminate_backend(%s, 1000)", [connection.info.backend_pid])
    with pytest.raises(errors.AdminShutdown):
        await asking

    assert not connection.is_alive()


# What is prepared.


async def test_what_comes_again_is_prepared_once_for_each_type_and_only_where_it_shall_be(
    connection: PipelineConnection,
) -> None:
    for value in (1, 2, 3, "a", "b"):
        await connection.send([Statement(b"select $1", [value]), Statement(b"select $1, 2", [value], prepare=False)])

    assert list((await prepared(connection)).values()) == ["select $1"] * 2


async def test_no_more_is_prepared_than_allowed_and_what_is_used_stays(
    line: tuple[Proxy, str], far: PipelineConnection
) -> None:
    used = Statement(b"select 'used'")
    await far.send([used])
    (first,) = await prepared(far)
    before = line[0].trips
    for number in range(MAX_PREPARED + 20):
        await far.send([Statement(b"select %d" % number), used])

    assert line[0].trips - before == MAX_PREPARED + 20  # closing them costs no trip
    found = await prepared(far)
    assert len(found) == MAX_PREPARED
    assert found[first] == "select 'used'"
    assert "select 0" not in found.values()
    await far.send([Statement(b"select 0")])


@pytest.mark.parametrize("fails", [False, True], ids=["", "where an early one fails"])
async def test_more_statements_at_once_than_may_be_prepared_spoil_nothing(
    connection: PipelineConnection, *, fails: bool
) -> None:
    statements = [Statement(b"select %d" % number) for number in range(MAX_PREPARED + 20)]
    if fails:
        with pytest.raises(errors.DivisionByZero):
            await connection.send([Statement(b"select 1 / 0"), *statements])
    else:
        answers = await connection.send(statements)
        assert [answer.rows() for answer in answers] == [[(n,)] for n in range(len(statements))]

    assert await numbers(connection) == []
    assert len(await prepared(connection)) <= MAX_PREPARED


# AsyncConnection._deallocate: psycopg's cursors prepare as well, on the same connection.


async def by_send(connection: PipelineConnection) -> int:
    (result,) = await connection.send([Statement(b"select * from numbers")])
    return len(result.names)


async def by_cursor(connection: PipelineConnection) -> int:
    return len((await connection.execute("select * from numbers", prepare=True)).description or ())


async def by_executemany(connection: PipelineConnection) -> int:
    """As the ORM does when it inserts or updates several rows."""
    cursor = connection.cursor()
    await cursor.executemany(
        "insert into numbers values (%s) on conflict do nothing returning *", [[1], [2]], returning=True
    )
    return len(cursor.description or ())


@pytest.mark.parametrize("by", [by_send, by_cursor, by_executemany])
async def test_after_a_migration_nothing_that_was_prepared_is_used(
    connection: PipelineConnection, by: Callable[[PipelineConnection], Awaitable[int]]
) -> None:
    ways = (by_send, by_cursor, by_executemany)
    assert [await way(connection) for way in ways] == [1, 1, 1]
    connection.expires_at = 1
    await connection.send([Statement(b"alter table numbers add column more text", prepare=False)])
    with pytest.raises(errors.FeatureNotSupported):
        await by(connection)

    assert connection.expires_at == 0
    assert [await way(connection) for way in ways] == [2, 2, 2]


async def rolled_back(connection: PipelineConnection) -> None:
    await connection.send([Statement(b"begin", prepare=False)])
    await connection.rollback()


async def rolled_back_to_a_savepoint(connection: PipelineConnection) -> None:
    async with connection.transaction(), connection.transaction(force_rollback=True):
        pass


ROLLBACKS: Mapping[str, Callable[[PipelineConnection], Awaitable[None]]] = {
    "rollback()": rolled_back,
    "transaction()": rolled_back_to_a_savepoint,
}


@pytest.mark.parametrize("way", ROLLBACKS)
async def test_what_psycopg_deallocates_at_a_rollback_of_its_own_is_prepared_anew(
    connection: PipelineConnection, way: str
) -> None:
    await by_send(connection)
    await by_cursor(connection)
    assert len(await prepared(connection)) == 2
    await ROLLBACKS[way](connection)

    assert await prepared(connection) == {}
    assert [await by_send(connection), await by_cursor(connection)] == [1, 1]
    assert len(await prepared(connection)) == 2


async def test_a_savepoint_that_the_orm_rolls_back_leaves_statements_that_work(
    things_address: str, admin: psycopg.Connection
) -> None:
    async with postgres(database_settings(things_address, pool_size=1, max_overflow=0)) as things:
        await add(things, "a")
        for _ in range(8):  # psycopg prepares what came five times
            unit = things.unit(Scope(OURS))
            db, orm = DatabaseSession(unit), unit.orm()
            await db.all(NAMES, Name)
            with pytest.raises(Conflict):
                async with orm.begin_nested():
                    orm.add(Thing(tenant_id=OURS, name="a"))
            await orm.execute(NAMES)
            assert await db.all(NAMES, Name) == [Name("a")]
            await unit.commit()
            await unit.close()

        assert await names(things) == ["a"]


# waiting.wait_async, AsyncConnection.wait: a cancellation never waits for the server.


async def copied(connection: PipelineConnection) -> None:
    async with connection.cursor() as cursor, cursor.copy("copy (select 1) to stdout") as copy:
        await copy.read()


async def through_a_server_cursor(connection: PipelineConnection) -> None:
    async with connection.cursor("named") as cursor:
        await cursor.execute("select 1")


async def in_psycopgs_pipeline(connection: PipelineConnection) -> None:
    async with connection.pipeline():
        await connection.execute("select 1")


async def in_a_savepoint(connection: PipelineConnection) -> None:
    async with connection.transaction():
        pass


async def streamed(connection: PipelineConnection) -> None:
    async for _ in connection.cursor().stream("select 1"):
        pass


async def notified(connection: PipelineConnection) -> None:
    async for _ in connection.notifies():
        pass


EXCHANGES: Mapping[str, Callable[[PipelineConnection], Awaitable[object]]] = {
    "send": lambda connection: connection.send([Statement(b"select 1")]),
    "execute": lambda connection: connection.execute("select 1"),
    "executemany": lambda connection: connection.cursor().executemany("select %s", [[1], [2]]),
    "server cursor": through_a_server_cursor,
    "commit": lambda connection: connection.commit(),
    "rollback": lambda connection: connection.rollback(),
    "copy": copied,
    "pipeline": in_psycopgs_pipeline,
    "savepoint": in_a_savepoint,
    "stream": streamed,
    "notifies": notified,
}


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_every_exchange_ends_at_once_when_it_is_cancelled_and_costs_the_connection(
    exchange: str, line: tuple[Proxy, str], far: PipelineConnection
) -> None:
    await far.send([Statement(b"begin")])
    line[0].silent = True
    asking = asyncio.ensure_future(EXCHANGES[exchange](far))
    await asyncio.sleep(0.05)
    began = monotonic()
    asking.cancel()
    await asyncio.wait([asking], timeout=2)
    took, closed = monotonic() - began, far.closed
    line[0].cut()  # else psycopg's own would wait for ever
    await asyncio.wait([asking])

    assert took < 0.5
    assert asking.cancelled() or isinstance(asking.exception(), psycopg.Error)
    assert closed


# generators.cancel, waiting.wait_conn_async: and the server is told afterwards.


async def abandoned(connection: PipelineConnection) -> None:
    asking = asyncio.create_task(connection.send([Statement(b"select pg_sleep(30)")]))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_the_server_stops_what_was_abandoned_when_it_is_told(
    connection: PipelineConnection, admin: psycopg.Connection
) -> None:
    pid = connection.info.backend_pid
    await abandoned(connection)
    await asyncio.sleep(0.1)

    assert is_active(admin, pid)
    await connection.cancel_abandoned()
    deadline = monotonic() + 2
    while is_active(admin, pid):
        assert monotonic() < deadline
        await asyncio.sleep(0.02)
    await connection.cancel_abandoned()  # nothing is left to be told


def is_active(admin: psycopg.Connection, pid: int) -> bool:
    query = "select 1 from pg_stat_activity where pid = %s and state = 'active'"
    return admin.execute(query, [pid]).fetchone() is not None


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "gone"])
async def test_a_server_that_does_not_hear_holds_nobody_up(
    line: tuple[Proxy, str], far: PipelineConnection, monkeypatch: pytest.MonkeyPatch, *, silent: bool
) -> None:
    monkeypatch.setattr(pipeline, "SECONDS_TO_CANCEL", 0.3)
    await abandoned(far)
    line[0].silent, line[0].refuse = silent, not silent
    began = monotonic()
    await far.cancel_abandoned()

    assert monotonic() - began < 1
