"""Bare FastAPI that imports what a worker of ours imports, third-party libraries one and all, and uses none of it."""

import dotenv
import fastapi
import joserfc.jws
import packaging.requirements
import pluggy
import psycopg
import psycopg_pool
import pydantic_settings
import redis.asyncio
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.ext.asyncio
import sqlalchemy.orm
import structlog
import tomlkit

from .bare import Health

IMPORTED = (
    dotenv,
    joserfc.jws,
    packaging.requirements,
    pluggy,
    psycopg,
    psycopg_pool,
    pydantic_settings,
    redis.asyncio,
    sqlalchemy.dialects.postgresql.psycopg,
    sqlalchemy.ext.asyncio,
    sqlalchemy.orm,
    structlog,
    tomlkit,
)


def app() -> fastapi.FastAPI:
    made = fastapi.FastAPI()

    @made.get("/health/ready")
    async def answer() -> Health:
        return Health()

    return made
