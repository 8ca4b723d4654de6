"""A connection that asks several statements in one round trip, up to one Sync.

`AsyncConnection.pipeline()` gives every statement a task, and needs two trips for what this does in one; `./dev bench
--only read` has the figures. Of psycopg 3.3 this uses what it does not promise: `psycopg.generators`,
`psycopg.waiting`, `errors._WaitTimeout`, `AsyncConnection._deallocate`, `AsyncConnection._prepared` with its `_names`
and `_to_flush`, and that each exchange waits in the connection's `wait()`.
tests/integration/test_pipeline.py fails when one changes: look then at `AsyncCursor._execute_gen` and `AsyncPipeline`
for what took its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import psycopg
from psycopg import AsyncConnection, capabilities, errors, generators, waiting
from psycopg.abc import PQGen
from psycopg.abc import Transformer as AbstractTransformer
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

T = TypeVar("T")
MOST_PREPARED = 250  # a statement costs the server some kilobytes on each connection
SECONDS_TO_CANCEL = 2.0


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with `$1`, `$2`; `prepare` where its text comes again with other values."""

    sql: bytes
    values: Sequence[Any] = ()
    prepare: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """What one statement gave; its rows are read when somebody wants them."""

    result: PGresult
    transformer: AbstractTransformer

    @property
    def names(self) -> list[str]:
        """The names of its columns; none where the statement gives no rows."""
        found = (self.result.fname(index) for index in range(self.result.nfields))
        return [name.decode() for name in found if name is not None]

    @property
    def types(self) -> tuple[int, ...]:
        """The types of its columns, as PostgreSQL numbers them."""
        return tuple([self.result.ftype(index) for index in range(self.result.nfields)])

    @property
    def touched(self) -> int:
        """How many rows it gave or changed."""
        return self.result.command_tuples or 0

    @property
    def tag(self) -> bytes:
        """What the server says it has done: `COMMIT`, `INSERT 0 1`."""
        return self.result.command_status or b""

    def rows(self) -> list[tuple[Any, ...]]:
        """Every row; raises psycopg.DataError for a value that Python has no room for."""
        self.transformer.set_pgresult(self.result)
        return self.transformer.load_rows(0, self.result.ntuples, tuple)


class ResponseTimeout(psycopg.OperationalError):
    """The server does not answer; it has limits of its own, so that this is a server or a line that hangs."""

    sqlstate = "57014"  # as if it had said so itself: query_canceled


class PipelineConnection(AsyncConnection[tuple[Any, ...]]):
    """A connection in autocommit, whose transactions are begun and ended by statements."""

    def __init__(self, pgconn: PGconn, *given: Any, **more: Any) -> None:
        super().__init__(pgconn, *given, **more)
        self.prepares = True  # not behind a pooler
        self.prepared: dict[tuple[bytes, tuple[int, ...] | None], bytes] = {}  # by text and types, longest unused first
        self.closing: list[bytes] = []
        self.number = 0
        self.until = self.idle_since = 0.0  # on the clock of `monotonic`
        self.canceller: Any = None
        self.default_response_timeout: float | None = None  # seconds that an answer may take; None: for ever
        self.response_timeout: float | None = None  # of whoever has it now

    @property
    def is_idle(self) -> bool:
        """Whether somebody else may have it: it stands, and nothing is under way on it."""
        return (
            self.pgconn.transaction_status == TransactionStatus.IDLE
            and self.pgconn.pipeline_status == PipelineStatus.OFF
        )

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still under way: whoever got the connection next would read that one."""
        return (
            self.pgconn.transaction_status == TransactionStatus.ACTIVE
            or self.pgconn.pipeline_status != PipelineStatus.OFF
        )

    def stands(self) -> bool:
        """Whether the server has not hung up meanwhile; asks the socket only, and costs a microsecond."""
        try:
            self.pgconn.consume_input()  # its last words, if there are any
            self.pgconn.consume_input()  # the end of the line
        except psycopg.OperationalError:
            return False
        return self.pgconn.status == ConnStatus.OK

    async def ask(self, statements: Iterable[Statement]) -> list[Result]:
        """Ask these in one round trip; raises the first error of psycopg's.

        Outside of a transaction they are one together, which ends with the answer, or with the first error.
        """
        async with self.lock:
            return await self.wait(self.exchange(statements))

    def exchange(self, statements: Iterable[Statement]) -> PQGen[list[Result]]:
        """Send everything, then read one result for each message; what breaks off in the middle costs the line."""
        pgconn = self.pgconn
        pgconn.enter_pipeline_mode()
        try:
            steps = [*self.sent_closings(), *(step for question in statements for step in self.sent(question))]
            pgconn.pipeline_sync()
            yield from generators.send(pgconn)
            answers, failed = yield from self.received(steps)
        except BaseException:
            self.abandon()
            raise
        if failed is not None:
            raise errors.error_from_result(failed)
        return answers

    def sent_closings(self) -> list[Step]:
        """First of all, as the server leaves out what comes after an error.

        By the protocol's own message, which a transaction that has failed takes as well; an older libpq has to wait.
        """
        by_message = capabilities.has_send_close_prepared()
        if not by_message and self.pgconn.transaction_status == TransactionStatus.INERROR:
            return []
        closing, self.closing = self.closing, []
        for name in closing:
            if by_message:
                self.pgconn.send_close_prepared(name)
            else:
                self.pgconn.send_query_params(b"deallocate " + name, None)
        return [Step()] * len(closing)

    def sent(self, question: Statement) -> list[Step]:
        transformer = Transformer(self)
        values: Sequence[Any] | None = None
        types = formats = None
        if question.values:
            values = transformer.dump_sequence(question.values, [PyFormat.AUTO] * len(question.values))
            types, formats = transformer.types, transformer.formats
        if not (self.prepares and question.prepare):
            self.pgconn.send_query_params(question.sql, values, types, formats)
            return [Step(transformer)]
        key, before = (question.sql, types), list[Step]()
        name = self.prepared.pop(key, None)
        if name is None:
            self.number += 1
            name = b"vinc_%d" % self.number
            self.pgconn.send_prepare(name, question.sql, types)
            before = [Step(None, key)]
        self.prepared[key] = name  # the last to be closed
        if len(self.prepared) > MOST_PREPARED:
            self.closing.append(self.prepared.pop(next(iter(self.prepared))))
        self.pgconn.send_query_prepared(name, values, formats)
        return [*before, Step(transformer)]

    def received(self, steps: Iterable[Step]) -> PQGen[tuple[list[Result], PGresult | None]]:
        answers, failed = list[Result](), None
        try:
            for step in steps:
                (result,) = (yield from generators.fetch_many(self.pgconn)) or lost()
                if result.status == ExecStatus.FATAL_ERROR:
                    failed = failed or result
                if step.prepares is not None and result.status != ExecStatus.COMMAND_OK:
                    self.prepared.pop(step.prepares, None)
                if step.transformer is not None:
                    answers.append(Result(result, step.transformer))
            yield from generators.fetch_many(self.pgconn)  # the Sync
            self.pgconn.exit_pipeline_mode()
        except psycopg.OperationalError:  # the line is lost; the server's last words may say why
            if failed is not None:
                raise errors.error_from_result(failed) from None
            raise
        return answers, failed

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:  # noqa: ASYNC109  psycopg's name
        """As psycopg's, which every exchange goes through; one that is cancelled never waits for the server.

        Raises ResponseTimeout where the server takes longer than whoever asks has response_timeout.
        """
        limit = self.response_timeout if timeout is None else timeout
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=limit)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self.abandon()
            raise
        except errors._WaitTimeout:  # noqa: SLF001  see above
            if timeout is not None:
                raise
            self.abandon()
            raise ResponseTimeout from None

    def abandon(self) -> None:
        """Close it in the middle, at once; `cancel_abandoned` then tells the server."""
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE and capabilities.has_cancel_safe():
            self.canceller = self.pgconn.cancel_conn()
        self.pgconn.finish()

    async def cancel_abandoned(self) -> None:
        """Ask the server to stop what nobody waits for any more; one that doesn't hear ends it by its own limits."""
        canceller, self.canceller = self.canceller, None
        if canceller is None:
            return
        try:
            canceller.start()
            await waiting.wait_conn_async(generators.cancel(canceller), interval=0.1, timeout=SECONDS_TO_CANCEL)
        except psycopg.Error:
            return
        finally:
            canceller.finish()

    def forget_prepared(self) -> bool:
        """Have everything prepared anew, as after a migration; whether there was anything."""
        names = [*self._prepared._names.values(), *self.prepared.values()]  # noqa: SLF001  psycopg's own, of its cursors
        self._prepared.clear()
        self._prepared._to_flush.clear()  # noqa: SLF001  it would deallocate all, also what it has just prepared
        self.prepared = {}
        self.closing.extend(names)
        return bool(names)

    def _deallocate(self, name: bytes | None) -> PQGen[None]:
        """As psycopg's, who sends DEALLOCATE ALL after a ROLLBACK of its own: ours are gone then, too."""
        if name is None:
            self.prepared, self.closing = {}, []
        return super()._deallocate(name)


def lost() -> NoReturn:
    message = "the connection was lost"
    raise psycopg.OperationalError(message)


@dataclass(frozen=True, slots=True)
class Step:
    """One message whose result comes back: of a statement, or (with its key) of preparing one."""

    transformer: AbstractTransformer | None = None
    prepares: tuple[bytes, tuple[int, ...] | None] | None = None
