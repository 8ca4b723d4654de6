"""The routes of health. Liveness uses no connection: a process must not be restarted because its database is down."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from vinc_kernel import CurrentApp, HealthCheck, logger, public

TIMEOUT = 2.0  # seconds for one check, as probes have short timeouts
router = APIRouter(
    prefix="/health", tags=["health"], dependencies=[public("probes ask before anybody can be signed in")]
)


class Health(BaseModel):
    """The service answers."""

    status: Literal["ok"] = "ok"


class CheckResult(BaseModel):
    """The result of one health check."""

    name: str
    required: bool
    state: Literal["up", "down"]
    milliseconds: float


class PluginResult(BaseModel):
    """The state of a plugin in the worker that responds; the reason is in the log of that worker."""

    name: str
    version: str
    state: str
    failed_in: str | None


class Readiness(BaseModel):
    """Whether this worker is ready; checks that are not required may be down."""

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
async def ready(app: CurrentApp, response: Response) -> Readiness:
    checks = await asyncio.gather(*(run_check(check) for check in app.checks))
    is_ready = all(check.state == "up" for check in checks if check.required)
    response.status_code = 200 if is_ready else 503
    plugins = [
        PluginResult(name=one.name, version=one.version, state=one.state, failed_in=one.phase or None)
        for one in app.plugins
    ]
    return Readiness(status="ready" if is_ready else "unready", checks=checks, plugins=plugins)


async def run_check(check: HealthCheck) -> CheckResult:
    """Run a check with a timeout; the reason of a failure is in the log, and not in the response."""
    start = perf_counter()
    try:
        async with asyncio.timeout(TIMEOUT):
            await check.ask()
    except Exception as error:  # noqa: BLE001  any error of a check means down; it is logged
        logger.warning("the health check %s failed: %s", check.name, type(error).__name__)
        state: Literal["up", "down"] = "down"
    else:
        state = "up"
    milliseconds = round((perf_counter() - start) * 1000, 2)
    return CheckResult(name=check.name, required=check.required, state=state, milliseconds=milliseconds)
