"""Liveness uses no connection, readiness runs the health checks."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from httpx import AsyncClient

from vinc_kernel import HealthCheck
from vinc_testing import VincApp


async def test_the_service_says_that_it_is_ok(client: AsyncClient) -> None:
    answer = await client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/health/live", "http://test/health/live"])
async def test_liveness_is_below_the_prefix_and_at_the_root(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).json() == {"status": "ok"}


async def test_readiness_names_every_check_with_state_and_milliseconds(client: AsyncClient) -> None:
    answer = await client.get("http://test/health/ready")

    assert answer.status_code == 200
    checks = {check.pop("name"): check for check in answer.json()["checks"]}
    assert set(checks) == {"postgres", "redis"}
    assert checks["postgres"]["required"]
    assert not checks["redis"]["required"]
    assert all(check["state"] == "up" and check["milliseconds"] >= 0 for check in checks.values())


async def down() -> None:
    message = "canary: the address of a server"
    raise OSError(message)


@pytest.mark.parametrize(("required", "status"), [(True, 503), (False, 200)])
async def test_only_what_is_required_makes_a_worker_unready(
    vinc_app: VincApp, client: AsyncClient, *, required: bool, status: int
) -> None:
    vinc_app.application.runtime.registry.checks.append(HealthCheck(name="printer", required=required, ask=down))
    answer = await client.get("/health/ready")
    live = await client.get("/health/live")

    assert answer.status_code == status
    assert answer.json()["checks"][-1]["state"] == "down"
    assert "canary" not in answer.text
    assert live.status_code == 200


async def test_readiness_shows_how_each_plugin_stands(client: AsyncClient) -> None:
    plugins = {plugin["name"]: plugin for plugin in (await client.get("/health/ready")).json()["plugins"]}

    assert plugins["health"] == {"name": "health", "version": "0.1.0", "state": "ready", "failed_in": None}


@pytest.fixture
def vinc_environment(request: pytest.FixtureRequest) -> Mapping[str, str]:
    return getattr(request, "param", {})


@pytest.mark.parametrize("vinc_environment", [{"VINC_REDIS_URL": ""}], indirect=True)
async def test_a_connection_that_is_not_there_is_not_asked(client: httpx.AsyncClient) -> None:
    names = [check["name"] for check in (await client.get("/health/ready")).json()["checks"]]

    assert names == ["postgres"]
