"""A connection that sends several statements in one round trip, up to one Sync.

`AsyncConnection.pipeline()` gives every statement a task and needs two round trips for what takes one here; `./dev
bench --only read` has the figures. What this uses of psycopg 3.3 without a promise in its documentation:

- `generators.send`, `generators.fetch_many`, `generators.cancel`, `waiting.wait_async`, `waiting.wait_conn_async`;
- `AsyncConnection.wait`, which every exchange goes through, and `AsyncConnection.lock`, which each one holds;
- `errors._WaitTimeout`, which `wait` raises;
- `AsyncConnection._deallocate`, through which cursors drop what they have prepared;
- `adapt.Transformer` with `dump_sequence`, `types`, `formats`, `set_pgresult` and `load_rows`.

tests/kernel/test_private_names.py fails when a name is gone, and tests/integration/test_pipeline.py when one behaves
differently. Look then at `AsyncCursor._execute_gen`, `AsyncPipeline` and `AsyncConnection.wait`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import psycopg
from psycopg import AsyncConnection, errors, generators, waiting
from psycopg.abc import PQGen
from psycopg.abc import Transformer as AbstractTransformer
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGcancelConn, PGconn, PGresult

T = TypeVar("T")
PreparedKey = tuple[bytes, tuple[int, ...] | None]
MOST_VALUES = 65_535  # of one statement, whose message has 16 bits for their number
MAX_PREPARED = 250  # a statement costs the server some kilobytes on each connection
SECONDS_TO_CANCEL = 2.0


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with `$1`, `$2`; `prepare` where its text comes again with other values."""

    sql: bytes
    values: Sequence[Any] = ()
    prepare: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one statement; its rows are loaded by `rows()`."""

    result: PGresult
    transformer: AbstractTransformer

    @property
    def names(self) -> list[str]:
        """The column names; empty for a statement without rows."""
        names = (self.result.fname(index) for index in range(self.result.nfields))
        return [name.decode() for name in names if name is not None]

    @property
    def types(self) -> tuple[int, ...]:
        """The OIDs of the column types."""
        return tuple([self.result.ftype(index) for index in range(self.result.nfields)])

    @property
    def rowcount(self) -> int:
        """The number of rows returned or changed."""
        return self.result.command_tuples or 0

    @property
    def tag(self) -> bytes:
        """The command tag: `COMMIT`, `INSERT 0 1`."""
        return self.result.command_status or b""

    def rows(self) -> list[tuple[Any, ...]]:
        """Return all rows; raises psycopg.DataError for a value that Python cannot represent."""
        self.transformer.set_pgresult(self.result)
        return self.transformer.load_rows(0, self.result.ntuples, tuple)


class ResponseTimeout(psycopg.OperationalError):
    """The server did not respond in time.

    It has limits of its own, which are shorter, so that the server or the network hangs.
    """

    sqlstate = "57014"  # query_canceled, as the server's own limits have it


class PipelineConnection(AsyncConnection[tuple[Any, ...]]):
    """A connection in autocommit mode, whose transactions are begun and ended by statements."""

    def __init__(self, pgconn: PGconn, *args: Any, **kwargs: Any) -> None:
        super().__init__(pgconn, *args, **kwargs)
        self.prepared: dict[PreparedKey, bytes] = {}  # names by text and types, least recently used first
        self.to_close: list[bytes] = []  # names that the server shall forget
        self.number = 0
        self.expires_at = self.idle_since = 0.0  # on the clock of `monotonic`; 0: it must be closed
        self.cancel_request: PGcancelConn | None = None
        self.default_response_timeout: float | None = None  # seconds; None: no limit
        self.response_timeout: float | None = None  # of the current unit of work

    @property
    def is_idle(self) -> bool:
        """Whether it is open, outside of a transaction, and no result is pending."""
        return (
            self.pgconn.transaction_status == TransactionStatus.IDLE
            and self.pgconn.pipeline_status == PipelineStatus.OFF
        )

    @property
    def is_busy(self) -> bool:
        """Whether a result is pending, which the next statement would read as its own."""
        return (
            self.pgconn.transaction_status == TransactionStatus.ACTIVE
            or self.pgconn.pipeline_status != PipelineStatus.OFF
        )

    def is_alive(self) -> bool:
        """Whether the server has not closed it meanwhile; reads the socket only, which costs a microsecond."""
        try:
            self.pgconn.consume_input()  # the server's last message, if there is one
            self.pgconn.consume_input()  # the end of the stream
        except psycopg.OperationalError:
            return False
        return self.pgconn.status == ConnStatus.OK

    async def send(self, statements: Iterable[Statement]) -> list[Result]:
        """Run these in one round trip; raises psycopg's error for the first that fails.

        Outside of a transaction they are one implicit transaction.
        """
        async with self.lock:
            return await self.wait(self.exchange(statements))

    def exchange(self, statements: Iterable[Statement]) -> PQGen[list[Result]]:
        """Send everything, then read one result for each message; an interruption closes the connection."""
        pgconn = self.pgconn
        pgconn.enter_pipeline_mode()
        try:
            messages = [*self.send_closes(), *(each for statement in statements for each in self.send_one(statement))]
            pgconn.pipeline_sync()
            yield from generators.send(pgconn)
            results, failed = yield from self.receive(messages)
        except BaseException:
            self.abandon()
            raise
        if failed is not None:
            raise errors.error_from_result(failed)
        return results

    def send_closes(self) -> list[Message]:
        """Close prepared statements, before anything else: the server skips what follows an error."""
        names, self.to_close = self.to_close, []
        for name in names:
            self.pgconn.send_close_prepared(name)
        return [Message()] * len(names)

    def send_one(self, statement: Statement) -> list[Message]:
        transformer = Transformer(self)
        values: Sequence[Any] | None = None
        types = formats = None
        if statement.values:
            values = transformer.dump_sequence(statement.values, [PyFormat.AUTO] * len(statement.values))
            types, formats = transformer.types, transformer.formats
        if not statement.prepare or self.prepare_threshold is None:
            self.pgconn.send_query_params(statement.sql, values, types, formats)
            return [Message(transformer)]
        key, messages = (statement.sql, types), list[Message]()
        name = self.prepared.pop(key, None)
        if name is None:
            self.number += 1
            name = b"vinc_%d" % self.number
            self.pgconn.send_prepare(name, statement.sql, types)
            messages = [Message(None, key)]
        self.prepared[key] = name  # the most recently used
        if len(self.prepared) > MAX_PREPARED:
            self.to_close.append(self.prepared.pop(next(iter(self.prepared))))
        self.pgconn.send_query_prepared(name, values, formats)
        return [*messages, Message(transformer)]

    def receive(self, messages: Iterable[Message]) -> PQGen[tuple[list[Result], PGresult | None]]:
        """Read one result for each message; returns the statements' results and the first that failed."""
        results, failed = list[Result](), None
        try:
            for message in messages:
                (result,) = (yield from generators.fetch_many(self.pgconn)) or raise_connection_lost()
                if result.status == ExecStatus.FATAL_ERROR:
                    failed = failed or result
                if message.prepares is not None and result.status != ExecStatus.COMMAND_OK:
                    self.prepared.pop(message.prepares, None)
                if message.transformer is not None:
                    results.append(Result(result, message.transformer))
            yield from generators.fetch_many(self.pgconn)  # the Sync
            self.pgconn.exit_pipeline_mode()
        except psycopg.OperationalError:  # the connection is lost; the server's last error may say why
            if failed is not None:
                raise errors.error_from_result(failed) from None
            raise
        return results, failed

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:  # noqa: ASYNC109  psycopg's name
        """As psycopg's, but a cancellation never waits for the server.

        Raises ResponseTimeout after `response_timeout` seconds.
        """
        limit = self.response_timeout if timeout is None else timeout
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=limit)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self.abandon()
            raise
        except errors._WaitTimeout:  # noqa: SLF001  see the module's docstring
            if timeout is not None:
                raise
            self.abandon()
            raise ResponseTimeout from None
        except errors.FeatureNotSupported as error:
            if is_outdated_plan(error):
                self.prepare_threshold = None  # prepare nothing from now on, and use nothing that was prepared
                self.expires_at = 0.0  # the pool replaces it when it is released
            raise

    def abandon(self) -> None:
        """Close it at once, whatever is pending; `cancel_abandoned` then tells the server."""
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            self.cancel_request = self.pgconn.cancel_conn()
        self.pgconn.finish()

    async def cancel_abandoned(self) -> None:
        """Ask the server to stop the abandoned statement; if this fails, the server's own limits stop it."""
        request, self.cancel_request = self.cancel_request, None
        if request is None:
            return
        try:
            request.start()
            await waiting.wait_conn_async(generators.cancel(request), interval=0.1, timeout=SECONDS_TO_CANCEL)
        except psycopg.Error:
            return
        finally:
            request.finish()

    def _deallocate(self, name: bytes | None) -> PQGen[None]:
        """As psycopg's, which sends DEALLOCATE ALL after a ROLLBACK of its own: that drops our statements, too."""
        if name is None:
            self.prepared, self.to_close = {}, []
        return super()._deallocate(name)


def is_outdated_plan(error: BaseException) -> bool:
    """Whether a migration changed the columns of a prepared statement ("cached plan must not change result type").

    PostgreSQL has no SQLSTATE of its own for it, and its text is translated; the name of its function is not.
    """
    return isinstance(error, errors.FeatureNotSupported) and error.diag.source_function == "RevalidateCachedQuery"


def raise_connection_lost() -> NoReturn:
    raise psycopg.OperationalError("the connection was lost")


@dataclass(frozen=True, slots=True)
class Message:
    """A message that has a result: it runs a statement, or prepares the one with this key, or closes one."""

    transformer: AbstractTransformer | None = None
    prepares: PreparedKey | None = None
