"""Liveness uses no connection, readiness runs the health checks."""

from __future__ import annotations

from types import ModuleType

import pytest
from httpx import AsyncClient

from vinc_kernel import App, hooks
from vinc_testing import VincApp


@pytest.mark.parametrize("path", ["/health", "/health/live", "http://test/health/live"])
async def test_liveness_is_below_the_prefix_and_at_the_root(client: AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_readiness_names_every_check_with_state_and_milliseconds(client: AsyncClient) -> None:
    answer = await client.get("http://test/health/ready")

    assert answer.status_code == 200
    checks = {check.pop("name"): check for check in answer.json()["checks"]}
    assert set(checks) == {"postgres", "redis"}
    assert checks["postgres"]["required"]
    assert not checks["redis"]["required"]
    assert all(check["state"] == "up" and check["milliseconds"] >= 0 for check in checks.values())


async def fail(*_: object) -> None:
    message = "canary: the address of a server"
    raise OSError(message)


def printer() -> ModuleType:
    """A required plugin that is down."""

    @hooks.health
    async def health(app: App) -> None:
        await fail(app)

    module = ModuleType("printer.plugin")
    vars(module)["health"] = health
    return module


@pytest.mark.parametrize("vinc_plugins", [{"printer": printer()}])
async def test_a_required_check_that_fails_makes_a_worker_unready(client: AsyncClient) -> None:
    answer = await client.get("/health/ready")

    assert answer.status_code == 503
    assert [(one["name"], one["state"]) for one in answer.json()["checks"]][-1] == ("printer", "down")
    assert "canary" not in answer.text
    assert (await client.get("/health/live")).status_code == 200


async def test_another_check_that_fails_leaves_it_ready(
    vinc_app: VincApp, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vinc_app.plugin("health").redis, "execute_command", fail)
    answer = await client.get("/health/ready")

    assert answer.status_code == 200
    assert [(one["name"], one["state"]) for one in answer.json()["checks"]][-1] == ("redis", "down")


async def test_readiness_shows_how_each_plugin_stands(client: AsyncClient) -> None:
    plugins = {plugin["name"]: plugin for plugin in (await client.get("/health/ready")).json()["plugins"]}

    assert plugins["health"] == {"name": "health", "version": "0.1.0", "state": "ready", "failed_in": None}


@pytest.mark.parametrize("vinc_environment", [{"VINC_REDIS_URL": ""}])
async def test_a_connection_that_is_not_configured_is_not_checked(client: AsyncClient) -> None:
    names = [check["name"] for check in (await client.get("/health/ready")).json()["checks"]]

    assert names == ["postgres"]
