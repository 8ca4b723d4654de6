"""Bare FastAPI that imports what a worker of ours imports, third-party libraries one and all, and uses none of it."""

from importlib import import_module

from fastapi import FastAPI

from .bare import Health

IMPORTED = (
    *("dotenv", "joserfc.jws", "packaging.requirements", "pluggy", "psycopg", "psycopg_pool", "pydantic_settings"),
    *("redis.asyncio", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.ext.asyncio", "sqlalchemy.orm"),
    *("structlog", "tomlkit"),
)


def app() -> FastAPI:
    for name in IMPORTED:
        import_module(name)
    made = FastAPI()

    @made.get("/health/ready")
    async def answer() -> Health:
        return Health()

    return made
