"""Open PostgreSQL: one pool of connections, retried at start for a bounded time, recovering by itself afterwards."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.engine import make_url

from ..database.orm import learn_server
from ..database.pipeline import PipelineConnection
from ..database.pool import SECONDS_TO_LIVE
from ..database.postgres import Postgres
from ..database.probe import Probe
from ..database.roles import Roles
from ..database.statements import Statements
from ..errors import ConnectionAbsent, DatabaseError
from ..settings import DatabaseSettings

logger = logging.getLogger("vinc.postgres")
SECONDS_TO_CONNECT = 5
SECONDS_BETWEEN_TRIES = 1.0
# psycopg_pool waits twice as long after each failure: with its five minutes, a server that was away for two would be
# found only a minute after its return.
SECONDS_TO_RECONNECT = 4.0
SECONDS_TO_CLOSE = 5.0
# psycopg warns of a second error in a pipeline with the server's text, and we tell the first without it; its pool tells
# three times of each connection that is lent.
QUIET = {"psycopg": logging.ERROR, "psycopg.pool": logging.WARNING}


def make_postgres(settings: DatabaseSettings) -> Postgres | None:
    """Return the pool, which nothing has opened yet; None where VINC_DATABASE_URL is not set."""
    if settings.url is None:
        return None
    parameters = connection_parameters(settings)
    pool = AsyncConnectionPool(
        connection_class=PipelineConnection,
        kwargs={**parameters, "autocommit": True},  # the unit of work begins and ends its transaction itself
        min_size=settings.pool_size,
        max_size=settings.pool_size + settings.max_overflow,
        timeout=settings.pool_timeout,
        max_lifetime=SECONDS_TO_LIVE,
        reconnect_timeout=SECONDS_TO_RECONNECT,
        configure=partial(configure, response_timeout=settings.answer_timeout),
        name="vinc",
        open=False,
    )
    return Postgres(
        pool, Statements(echo=settings.echo), Probe(direct_parameters(settings)), Roles(settings.role_prefix)
    )


@asynccontextmanager
async def opened_postgres(made: Postgres, settings: DatabaseSettings) -> AsyncGenerator[None]:
    """Open its connections; raises DatabaseError if they don't stand within `start_timeout` seconds."""
    parameters = connection_parameters(settings)
    deadline = monotonic() + settings.start_timeout
    await wait_for_server(parameters, made.statements, settings.start_timeout)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    try:
        await fill(made.pool, parameters, max(deadline - monotonic(), SECONDS_BETWEEN_TRIES))
        yield
    finally:
        await close(made)


async def fill(pool: AsyncConnectionPool[PipelineConnection], parameters: dict[str, Any], seconds: float) -> None:
    try:
        await pool.open(wait=True, timeout=seconds)
    except PoolTimeout:
        what = f"PostgreSQL at {place(parameters)} gives fewer than {pool.min_size} connections"
        message = f"{what}: raise its max_connections, or lower VINC_DB_POOL_SIZE"
        raise DatabaseError(message) from None


async def close(made: Postgres) -> None:
    """Let what is under way arrive, then close; a server that is gone cannot hold the stop up."""
    try:
        async with asyncio.timeout(SECONDS_TO_CLOSE):
            await made.settled()
            await made.connections.close()
    except TimeoutError:
        logger.warning("some connections to PostgreSQL were still busy at the stop")
    await made.pool.close(timeout=SECONDS_TO_CLOSE)
    await made.probe.close()


def connection_parameters(settings: DatabaseSettings) -> dict[str, Any]:
    """What libpq is told; raises ConnectionAbsent without an address."""
    if settings.url is None:
        raise ConnectionAbsent("PostgreSQL", "VINC_DATABASE_URL")
    url = make_url(settings.url.get_secret_value())
    return {
        "application_name": "vinc",
        "client_encoding": "utf8",
        "connect_timeout": SECONDS_TO_CONNECT,
        "keepalives": 1,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,  # milliseconds until a line whose other end is silent counts as lost
        **url.query,
        **url.translate_connect_args(username="user", database="dbname"),
    }


def direct_parameters(settings: DatabaseSettings) -> dict[str, Any]:
    """As `connection_parameters`, past a pooler where VINC_DATABASE_DIRECT_URL is set."""
    return connection_parameters(settings.model_copy(update={"url": settings.direct_url or settings.url}))


def place(parameters: dict[str, Any]) -> str:
    """The server as a person knows it, without user and password."""
    host, port = parameters.get("host", "(local socket)"), parameters.get("port")
    return f"{host}:{port}" if port else str(host)


async def wait_for_server(parameters: dict[str, Any], statements: Statements, seconds: float) -> None:
    """Return when the server answers; raises DatabaseError with the last reason after so many seconds."""
    deadline = monotonic() + seconds
    while True:
        left = deadline - monotonic()
        try:
            async with asyncio.timeout(max(left, 0.1)):
                connection = await AsyncConnection.connect(**parameters, autocommit=True)
                async with connection:
                    await learn_server(statements, connection)
                return
        except TimeoutError:
            reason = "no answer"
        except psycopg.Error as error:
            reason = reason_of(error)
        left = deadline - monotonic()
        if left <= 0:
            break
        logger.warning("PostgreSQL at %s: %s; trying for another %.0f s", place(parameters), reason, left)
        await asyncio.sleep(min(SECONDS_BETWEEN_TRIES, left))
    what = f"PostgreSQL at {place(parameters)} was not there within {seconds:g} s ({reason})"
    message = f"{what}: start it, correct VINC_DATABASE_URL, or raise VINC_DATABASE_START_TIMEOUT"
    raise DatabaseError(message) from None


def reason_of(error: psycopg.Error) -> str:
    """The last words of libpq's first line: `connection failed: ... failed: Connection refused`."""
    line = str(error).partition("\n")[0].rstrip()
    return line.rpartition("failed: ")[2] or type(error).__name__


async def configure(connection: PipelineConnection, *, response_timeout: float) -> None:
    """A pooler gives each transaction another backend, which would not know what was prepared on the last one."""
    connection.response_timeout = connection.default_response_timeout = response_timeout
    answer = await connection.execute(b"select pg_backend_pid()")
    row = await answer.fetchone()
    if row is None or row[0] != connection.info.backend_pid:
        connection.prepare_threshold, connection.prepares = None, False
