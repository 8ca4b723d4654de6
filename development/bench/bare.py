"""Bare FastAPI with the routes that are measured; it knows nothing of Vinc."""

from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel


class Health(BaseModel):
    """As the plugin health answers."""

    status: Literal["ok"] = "ok"


class Thing(BaseModel):
    """As a generated plugin answers."""

    name: str
    number: int


def health() -> FastAPI:
    app = FastAPI()

    @app.get("/api/v1/health")
    async def answer() -> Health:
        return Health()

    return app


def thing() -> FastAPI:
    app = FastAPI()

    @app.get("/api/v1/p000/thing")
    async def answer() -> Thing:
        return Thing(name="p000", number=1)

    return app
