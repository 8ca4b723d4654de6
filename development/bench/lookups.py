"""Find a tenant that is known already, among few and among as many as the cache holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from statistics import median
from uuid import UUID

import psycopg

from vinc_kernel.app import create_app
from vinc_kernel.context import TenantDirectory
from vinc_kernel.database.uuid7 import uuid7
from vinc_kernel.settings import Sources, read_settings
from vinc_testing.embedded.postgres import SUPERUSER, PostgresServer

from .report import Line, at_most

KNOWN, FEW, LOOKUPS = 10_000, 10, 50_000
ADD = "insert into tenants_tenant (id, slug, name) values (%s, %s, %s)"


def lookups(environ: Mapping[str, str], postgres: PostgresServer, database: str, rounds: int) -> Iterator[Line]:
    """Through the directory that the plugin tenants provides, as each request does it."""
    ids = add_tenants(postgres, database)
    few, many = asyncio.run(microseconds(environ, ids, rounds))
    yield at_most(f"look-up of a known tenant, {KNOWN:,} known", many, 5, "µs")
    yield at_most(f"the same, {FEW} known", few, None, "µs")


def add_tenants(postgres: PostgresServer, database: str) -> Sequence[UUID]:
    with psycopg.connect(host=str(postgres.socket_directory), user=SUPERUSER, dbname=database) as line:
        ids = [uuid7() for _ in range(KNOWN)]
        given = [(one, f"bench-{number}", f"Tenant {number}") for number, one in enumerate(ids)]
        line.cursor().executemany(ADD, given)
    return ids


async def microseconds(environ: Mapping[str, str], ids: Sequence[UUID], rounds: int) -> tuple[float, float]:
    """Of one look-up, with few and with all of them known; medians."""
    given = Sources(environ)
    settings, _ = read_settings(given)
    made = create_app(settings, given)
    async with made.lifespan() as runtime:
        directory: TenantDirectory = runtime.registry.find(TenantDirectory)
        await time_lookup(directory, ids, KNOWN)  # which loads them
        figures = [
            (await time_lookup(directory, ids[:FEW], LOOKUPS), await time_lookup(directory, ids, LOOKUPS))
            for _ in range(rounds)
        ]
    return median(few for few, _ in figures), median(many for _, many in figures)


async def time_lookup(directory: TenantDirectory, ids: Sequence[UUID], count: int) -> float:
    """Microseconds of CPU that one look-up takes."""
    # Copies, as each request makes its id anew from a header.
    keys = [UUID(int=one.int) for one in islice(cycle(ids), count)]
    begun = time.process_time()
    for key in keys:
        await directory.find(key)
    return (time.process_time() - begun) / count * 1e6
