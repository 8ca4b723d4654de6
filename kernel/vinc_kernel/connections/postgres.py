"""Open PostgreSQL: one pool of connections. The start waits for the server; afterwards the pool reconnects itself."""

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

from ..database.compiler import StatementCompiler
from ..database.orm import initialize_dialects
from ..database.pipeline import PipelineConnection
from ..database.pool import MAX_LIFETIME
from ..database.postgres import Postgres
from ..database.roles import Roles
from ..database.unpooled_connection import Probe
from ..errors import ConnectionAbsent, DatabaseError
from ..settings import DatabaseSettings

logger = logging.getLogger("vinc.postgres")
SECONDS_TO_CONNECT = 5
SECONDS_BETWEEN_TRIES = 1.0
# psycopg_pool doubles its delay after each failure: with its default of five minutes, a server that was down for two
# would be found only a minute after its return.
SECONDS_TO_RECONNECT = 4.0
SECONDS_TO_CLOSE = 5.0
# psycopg logs a second error in a pipeline with the server's text, which may contain values; its pool logs each
# connection three times when it is checked out.
LOG_LEVELS = {"psycopg": logging.ERROR, "psycopg.pool": logging.WARNING}


def make_postgres(settings: DatabaseSettings) -> Postgres | None:
    """Return the pool, which nothing has opened yet; None where VINC_DATABASE_URL is not set."""
    if settings.url is None:
        return None
    parameters = connection_parameters(settings)
    pool = AsyncConnectionPool(
        connection_class=PipelineConnection,
        kwargs={**parameters, "autocommit": True},  # the unit of work begins and ends its transaction by statements
        min_size=settings.pool_size,
        max_size=settings.pool_size + settings.max_overflow,
        timeout=settings.pool_timeout,
        max_lifetime=MAX_LIFETIME,
        reconnect_timeout=SECONDS_TO_RECONNECT,
        configure=partial(configure, response_timeout=settings.answer_timeout),
        name="vinc",
        open=False,
    )
    return Postgres(
        pool, StatementCompiler(echo=settings.echo), Probe(direct_parameters(settings)), Roles(settings.role_prefix)
    )


@asynccontextmanager
async def opened_postgres(database: Postgres, settings: DatabaseSettings) -> AsyncGenerator[None]:
    """Open its connections; raises DatabaseError after `start_timeout` seconds."""
    parameters = connection_parameters(settings)
    deadline = monotonic() + settings.start_timeout
    await wait_for_server(parameters, database.compiler, settings.start_timeout)
    for name, level in LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    try:
        try:
            await database.pool.open(wait=True, timeout=max(deadline - monotonic(), SECONDS_BETWEEN_TRIES))
        except PoolTimeout:
            what = f"PostgreSQL at {address_of(parameters)} gives fewer than {database.pool.min_size} connections"
            raise DatabaseError(f"{what}: raise its max_connections, or lower VINC_DB_POOL_SIZE") from None
        yield
    finally:
        await close(database)


async def close(database: Postgres) -> None:
    """Wait for released connections, then close; a server that does not answer cannot delay the stop."""
    try:
        async with asyncio.timeout(SECONDS_TO_CLOSE):
            await database.connections.join()
            await database.connections.close()
    except TimeoutError:
        logger.warning("some connections to PostgreSQL were still busy at the stop")
    await database.pool.close(timeout=SECONDS_TO_CLOSE)
    await database.probe.close()


def connection_parameters(settings: DatabaseSettings) -> dict[str, Any]:
    """Return the connection parameters of libpq; raises ConnectionAbsent without an address."""
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
        "tcp_user_timeout": 30_000,  # milliseconds without an acknowledgement until the connection is lost
        **url.query,
        **url.translate_connect_args(username="user", database="dbname"),
    }


def direct_parameters(settings: DatabaseSettings) -> dict[str, Any]:
    """As `connection_parameters`, past a pooler where VINC_DATABASE_DIRECT_URL is set."""
    return connection_parameters(settings.model_copy(update={"url": settings.direct_url or settings.url}))


def address_of(parameters: dict[str, Any]) -> str:
    """Host and port for a message, without user and password."""
    host, port = parameters.get("host", "(local socket)"), parameters.get("port")
    return f"{host}:{port}" if port else str(host)


async def wait_for_server(parameters: dict[str, Any], compiler: StatementCompiler, seconds: float) -> None:
    """Return when the server answers; raises DatabaseError with the last reason when the time is up."""
    deadline = monotonic() + seconds
    while True:
        left = deadline - monotonic()
        try:
            async with asyncio.timeout(max(left, 0.1)):
                connection = await AsyncConnection.connect(**parameters, autocommit=True)
                async with connection:
                    await initialize_dialects(compiler, connection)
                return
        except TimeoutError:
            reason = "no answer"
        except psycopg.Error as error:
            reason = reason_of(error)
        left = deadline - monotonic()
        if left <= 0:
            break
        logger.warning("PostgreSQL at %s: %s; trying for another %.0f s", address_of(parameters), reason, left)
        await asyncio.sleep(min(SECONDS_BETWEEN_TRIES, left))
    what = f"PostgreSQL at {address_of(parameters)} was not there within {seconds:g} s ({reason})"
    raise DatabaseError(f"{what}: start it, correct VINC_DATABASE_URL, or raise VINC_DATABASE_START_TIMEOUT") from None


def reason_of(error: psycopg.Error) -> str:
    """The end of the first line of libpq: `connection failed: ... failed: Connection refused`."""
    line = str(error).partition("\n")[0].rstrip()
    return line.rpartition("failed: ")[2] or type(error).__name__


async def configure(connection: PipelineConnection, *, response_timeout: float) -> None:
    """Set the response timeout; prepare nothing behind a pooler, which gives each transaction another backend."""
    connection.response_timeout = connection.default_response_timeout = response_timeout
    cursor = await connection.execute(b"select pg_backend_pid()")
    row = await cursor.fetchone()
    if row is None or row[0] != connection.info.backend_pid:
        connection.prepare_threshold = None
