"""Health over HTTP. Liveness touches nothing: a process is not restarted because its database is down."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from vinc_kernel import App, HealthCheck, inject, logger, public

LONGEST = 2.0  # seconds for one check; a probe gives up before long
router = APIRouter(
    prefix="/health", tags=["health"], dependencies=[public("probes ask before anybody can be signed in")]
)
Application = Annotated[App, inject(App)]


class Health(BaseModel):
    """The service answers."""

    status: Literal["ok"] = "ok"


class CheckResult(BaseModel):
    """One thing that can be down."""

    name: str
    required: bool
    state: Literal["up", "down"]
    milliseconds: float


class PluginResult(BaseModel):
    """How one plugin stands in the worker that answers; the log of that worker has the whole reason."""

    name: str
    version: str
    state: str
    failed_in: str | None


class Readiness(BaseModel):
    """Whether this worker can do its work; what is not required may be down."""

    status: Literal["ready", "unready"]
    checks: list[CheckResult]
    plugins: list[PluginResult]


@router.get("")
async def health() -> Health:
    return Health()


@router.get("/live")
async def live() -> Health:
    return Health()


@router.get("/ready", responses={503: {"model": Readiness}})
async def ready(app: Application, response: Response) -> Readiness:
    checks = await asyncio.gather(*(result(check) for check in app.checks))
    is_ready = all(check.state == "up" for check in checks if check.required)
    response.status_code = 200 if is_ready else 503
    plugins = [
        PluginResult(name=one.name, version=one.version, state=one.state, failed_in=one.phase or None)
        for one in app.plugins
    ]
    return Readiness(status="ready" if is_ready else "unready", checks=checks, plugins=plugins)


async def result(check: HealthCheck) -> CheckResult:
    """Ask one check within its time; why it is down is in the log and not in the answer."""
    begun = perf_counter()
    try:
        async with asyncio.timeout(LONGEST):
            await check.ask()
    except Exception as error:  # noqa: BLE001  whatever a check raises means down; it is logged
        logger.warning("the health check %s says down: %s", check.name, type(error).__name__)
        state: Literal["up", "down"] = "down"
    else:
        state = "up"
    milliseconds = round((perf_counter() - begun) * 1000, 2)
    return CheckResult(name=check.name, required=check.required, state=state, milliseconds=milliseconds)
