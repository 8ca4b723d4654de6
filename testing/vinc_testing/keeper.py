"""The process that holds the servers of one test run: `python -m vinc_testing.keeper DIRECTORY PID PREFIX`.

Workers of pytest-xdist come and go, so none of them may be the servers' parent. This one ends with the run: it looks
whether the process PID is still there, and the servers die with this one, however it ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
from psycopg import sql

from vinc_kernel.errors import VincError
from vinc_testing.embedded.postgres import start_postgres
from vinc_testing.embedded.process import is_there
from vinc_testing.embedded.valkey import start_valkey

from .servers import POSTGRES_SETTING, REDIS_SETTING, conninfo

SECONDS_BETWEEN_LOOKS = 0.2
OURS = "select datname from pg_database where datname like %s"


def keep(directory: Path, run: int, prefix: str) -> None:
    """Start what is not given, tell the addresses in one line, and wait for the end of the run."""
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        told = {"prefix": prefix}
        try:
            told |= {"postgres": postgres_address(directory, prefix, stack), "redis": redis_address(directory, stack)}
        except (VincError, OSError) as error:
            told["error"] = f"{type(error).__name__}: {error}"
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        while "error" not in told and is_there(run):
            time.sleep(SECONDS_BETWEEN_LOOKS)


def postgres_address(directory: Path, prefix: str, stack: ExitStack) -> str:
    if given := os.environ.get(POSTGRES_SETTING):
        stack.callback(tidy, given, prefix)
        return given
    server = start_postgres(directory / "postgres", die_with_parent=True)
    stack.callback(server.stop)
    return server.url("postgres", "postgres")


def redis_address(directory: Path, stack: ExitStack) -> str:
    if given := os.environ.get(REDIS_SETTING):
        return given
    server = start_valkey(directory / "valkey", die_with_parent=True)
    stack.callback(server.stop)
    return server.url


def tidy(address: str, prefix: str) -> None:
    """Leave a server that was lent to us as it was: without our databases and roles."""
    like = prefix.replace("_", r"\_") + "%"
    with psycopg.connect(conninfo(address), autocommit=True) as connection:
        for (name,) in connection.execute(OURS, [like]).fetchall():
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        for (name,) in connection.execute("select rolname from pg_roles where rolname like %s", [like]).fetchall():
            connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    keep(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
