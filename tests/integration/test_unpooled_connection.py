"""What must not wait for the pool: the readiness probe and the poll of versions."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from vinc_testing.servers import Servers, conninfo

from ..pages import ROOT
from .bouncer import bouncer
from .workers import prepare_changes, worker

# While the server is silent, a poll and the readiness probe wait for an answer; the stall is longer than they may wait.
STALLS = """
import asyncio, sys, time, uvloop
from tests.integration.proxy import proxy_to_postgres
from tests.integration.workers import worker

async def main(address):
    async with proxy_to_postgres(address) as (proxy, through), worker(address, direct=through) as one:
        for _ in range(3):
            await one.until(lambda: one.is_current)
            proxy.silent = True
            checking = asyncio.create_task(one.runtime.database.probe.ping())
            await asyncio.sleep(0.6)
            time.sleep(1.3)
            await asyncio.gather(checking, return_exceptions=True)
            proxy.cut()
            await asyncio.sleep(0)
            proxy.silent = False

uvloop.run(main(sys.argv[1]))
"""


@pytest.fixture
def address(things_address: str, admin: psycopg.Connection) -> str:
    prepare_changes(admin)
    return things_address


async def test_a_full_pooler_is_not_mistaken_for_a_dead_database(address: str) -> None:
    with bouncer(address, connections=1) as pooled:
        async with worker(pooled, direct=address) as one:
            await one.runtime.database.probe.ping()
            with psycopg.connect(conninfo(pooled)) as holder:
                holder.execute("select 1")  # in a transaction, which keeps the pooler's only connection

                await one.runtime.database.probe.ping()
                await one.stays_current(seconds=1.5)


def test_a_loop_that_stalls_aborts_nothing(address: str, vinc_servers: Servers) -> None:
    """Threats X1: a descriptor that is closed while something waits for it makes libuv abort the process."""
    run = subprocess.run([sys.executable, "-c", STALLS, address], cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
