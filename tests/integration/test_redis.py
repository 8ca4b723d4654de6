"""Redis: bounded as a whole, optional, away and back."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from time import monotonic
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from vinc_kernel.connections.redis import make_redis
from vinc_kernel.settings import RedisSettings
from vinc_testing.servers import Servers

from ..opening import redis
from .proxy import Proxy, proxy_to_socket

LIMIT = 0.4


@pytest.fixture
async def line(vinc_servers: Servers) -> AsyncGenerator[Proxy]:
    async with proxy_to_socket(vinc_servers.redis.removeprefix("unix://")) as made:
        yield made


def settings(line: Proxy, **more: Any) -> RedisSettings:
    url = SecretStr(f"redis://127.0.0.1:{line.port}/15")  # that of no worker, who empties its own
    return RedisSettings.model_validate({"url": url, "socket_timeout": LIMIT, **more})


async def in_one_call(client: Redis) -> Any:
    return await client.get("a")


async def in_pipeline(client: Redis) -> Any:
    async with client.pipeline() as pipe:
        pipe.get("a")
        pipe.get("b")
        return await pipe.execute()


async def in_watch(client: Redis) -> Any:
    async with client.pipeline() as pipe:
        await pipe.watch("a")
        return await pipe.get("a")


@pytest.mark.parametrize("warm", [True, False], ids=["known line", "new line"])
@pytest.mark.parametrize("call", [in_one_call, in_pipeline, in_watch])
async def test_a_silent_server_is_given_up_in_time(
    line: Proxy, call: Callable[[Redis], Awaitable[Any]], *, warm: bool
) -> None:
    async with redis(settings(line)) as client:
        await client.get("a")
        if not warm:
            await client.connection_pool.disconnect()
        line.silent = True
        began = monotonic()
        with pytest.raises(RedisTimeout):
            await call(client)

        assert monotonic() - began < 2 * LIMIT  # threats.md F2 says 1.2; the machine is shared


async def test_a_slow_server_is_given_up_in_time_though_every_read_is_quick(line: Proxy) -> None:
    async with redis(settings(line)) as client:
        line.delay = LIMIT * 0.7
        began = monotonic()
        await client.connection_pool.disconnect()
        with pytest.raises(RedisTimeout):
            await client.get("a")

        assert monotonic() - began < 2 * LIMIT


async def test_an_answer_that_came_too_late_is_not_taken_for_the_next_one(line: Proxy) -> None:
    async with redis(settings(line)) as client:
        await client.set("first", "1")
        await client.set("second", "2")
        line.delay = LIMIT * 1.5
        with pytest.raises(RedisTimeout):
            await client.get("first")
        line.delay = 0
        await asyncio.sleep(LIMIT)

        assert await asyncio.gather(*(client.get("second") for _ in range(5))) == [b"2"] * 5


async def test_a_server_that_is_away_at_start_is_found_later(line: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    line.refuse = True
    with caplog.at_level(logging.WARNING, "vinc.redis"):
        async with redis(settings(line)) as client:
            with pytest.raises(RedisError):
                await client.ping()
            line.refuse = False

            assert await client.ping()
    assert "Redis is away" in caplog.text


async def test_a_line_that_was_cut_is_made_anew(line: Proxy) -> None:
    async with redis(settings(line)) as client:
        await client.set("a", "1")
        line.cut()

        assert await client.get("a") == b"1"


async def test_more_callers_than_connections_wait_for_each_other(line: Proxy) -> None:
    async with redis(settings(line, max_connections=2, socket_timeout=5)) as client:
        await client.set("a", "1")

        assert await asyncio.gather(*(client.get("a") for _ in range(50))) == [b"1"] * 50
        assert len(line.writers) <= 4  # two ends each


async def test_callers_that_are_cancelled_lose_no_connection(line: Proxy) -> None:
    async with redis(settings(line, max_connections=2, socket_timeout=5)) as client:
        line.delay = 0.01
        for _ in range(5):
            tasks = [asyncio.create_task(in_one_call(client)) for _ in range(10)]
            await asyncio.sleep(0.015)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        assert await asyncio.gather(*(client.set("a", "1") for _ in range(10))) == [True] * 10


def test_without_an_address_there_is_none() -> None:
    assert make_redis(RedisSettings()) is None
