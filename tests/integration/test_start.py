"""What a server does once it is about to serve."""

from __future__ import annotations

import asyncio
import gc

from starlette.types import Message

from vinc_kernel.app import create_app
from vinc_kernel.settings import Sources, read_settings
from vinc_kernel.testing import Database, Servers
from vinc_kernel.testing.databases import environment


async def test_what_is_there_when_it_serves_is_collected_no_more(
    vinc_servers: Servers, vinc_database: Database
) -> None:
    sources = Sources(environment(vinc_servers, vinc_database.name))
    app = create_app(read_settings(sources)[0], sources, plugins=[])
    told: asyncio.Queue[Message] = asyncio.Queue()
    asked: asyncio.Queue[Message] = asyncio.Queue()
    asked.put_nowait({"type": "lifespan.startup"})
    frozen = gc.get_freeze_count()
    try:
        living = asyncio.create_task(app({"type": "lifespan"}, asked.get, told.put))
        assert (await told.get())["type"] == "lifespan.startup.complete"
        assert gc.get_freeze_count() > frozen
        asked.put_nowait({"type": "lifespan.shutdown"})
        await living
    finally:
        gc.unfreeze()
