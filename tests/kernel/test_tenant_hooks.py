"""The hooks of a tenant's life: one by one, in order, and what fails is told with its plugin."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from vinc_kernel import App, Conflict, Context, Contribution, Tenant, hooks
from vinc_kernel.app import create_app
from vinc_kernel.errors import HookFailed
from vinc_kernel.plugins.arrange import Plugin
from vinc_kernel.settings import KernelSettings, PluginSettings, ServiceSettings

from ..credentials import JWT

PluginOf = Callable[[str, Contribution], Plugin]
Does = Callable[[Context], Awaitable[None]]
ACME = Tenant(id=UUID(int=7), slug="acme", name="Acme")


def app_of(plugin_of: PluginOf, **does: Does) -> App:
    """The application of plugins with these implementations of `tenant_created`."""
    plugins = [plugin_of(name, Contribution()) for name in does]
    for plugin, one in zip(plugins, does.values(), strict=True):
        vars(sys.modules[plugin.module])["made"] = hooks.tenant_created(one)
    timeout = PluginSettings.model_validate({"load_timeout": 0.5})
    settings = KernelSettings(service=ServiceSettings(env="test"), jwt=JWT, plugins=timeout)
    return create_app(settings, plugins=plugins).runtime.apps["first"]


async def welcome(app: App) -> None:
    await app.call(hooks.tenant_created, Context(app=app, tenant=ACME))


async def test_all_are_called_in_order_with_the_tenant(plugin_of: PluginOf) -> None:
    called: list[tuple[str, Any]] = []

    async def first(context: Context) -> None:
        called.append(("first", context.tenant))

    async def second(context: Context) -> None:
        called.append(("second", context.tenant))

    await welcome(app_of(plugin_of, first=first, second=second))

    assert called == [("first", ACME), ("second", ACME)]


async def test_the_first_that_fails_ends_it_with_its_plugins_name(plugin_of: PluginOf) -> None:
    called: list[str] = []

    async def fail(context: Context) -> None:
        message = "canary-hunter2"
        raise ZeroDivisionError(message)

    async def after(context: Context) -> None:
        called.append("after")

    with pytest.raises(HookFailed) as caught:
        await welcome(app_of(plugin_of, first=fail, second=after))

    assert str(caught.value).startswith("first: tenant_created: it raised ZeroDivisionError; ")
    assert "canary" not in str(caught.value)
    assert called == []


async def test_a_problem_of_a_plugin_is_the_answer(plugin_of: PluginOf, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(context: Context) -> None:
        message = "There is no printer left."
        raise Conflict(message)

    with pytest.raises(Conflict, match="printer"):
        await welcome(app_of(plugin_of, first=refuse))

    assert "the hook tenant_created of the plugin first refused" in caplog.text


async def test_one_that_hangs_has_failed(plugin_of: PluginOf) -> None:
    async def hang(context: Context) -> None:
        await asyncio.sleep(60)

    with pytest.raises(HookFailed, match=r"first: tenant_created: it takes longer than 0\.5 s"):
        await welcome(app_of(plugin_of, first=hang))


@pytest.mark.parametrize(
    ("hooks_of_it", "refuses"), [(("lifespan", "tenant_created"), True), (None, True), (("lifespan",), False)]
)
async def test_a_quarantined_plugin_that_has_the_hook_or_may_have_it_fails_all_before_any_is_called(
    plugin_of: PluginOf, hooks_of_it: tuple[str, ...] | None, refuses: bool
) -> None:
    called: list[str] = []

    async def first(context: Context) -> None:
        called.append("first")

    app = app_of(plugin_of, first=first)
    states = app._runtime.registry.states
    states["second"] = replace(states["first"], name="second", state="quarantined", hooks=hooks_of_it)
    if refuses:
        with pytest.raises(HookFailed, match="second: tenant_created: it is quarantined"):
            await welcome(app)
    else:
        await welcome(app)

    assert called == ([] if refuses else ["first"])


async def test_a_plugin_that_was_loaded_and_quarantined_fails_what_its_hook_is_for(plugin_of: PluginOf) -> None:
    async def fail(context: Context) -> None:
        raise ZeroDivisionError

    app = app_of(plugin_of, first=fail)
    states = app._runtime.registry.states
    states["first"] = replace(states["first"], state="quarantined")

    with pytest.raises(HookFailed, match="first: tenant_created: it is quarantined"):
        await welcome(app)
    await app.call(hooks.tenant_purge, Context(app=app, tenant=ACME))
