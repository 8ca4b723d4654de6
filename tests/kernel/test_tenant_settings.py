"""What each tenant sets for itself in a plugin."""

from __future__ import annotations

from typing import Annotated, Any, Self
from uuid import UUID

import pytest
from fastapi import APIRouter
from pydantic import Field, ValidationError, model_validator

from vinc_kernel import (
    BadRequest,
    Context,
    Contribution,
    StartError,
    Tenant,
    TenantDirectory,
    TenantSettings,
    inject,
    signed_in,
)

from ..credentials import credentials
from .conftest import AppOf, OneTenant, client_of


class Terms(TenantSettings):
    days: Annotated[int, Field(ge=1, le=90)] = 30
    greeting: str = "Hello"


class Limits(TenantSettings):
    least: int = 1
    most: int = 10

    @model_validator(mode="after")
    def refuse_nothing(self) -> Self:
        if self.least > self.most:
            message = "least is more than most"
            raise ValueError(message)
        return self


class Foreign(TenantSettings):
    days: int = 1


def tenant(**settings: Any) -> Tenant:
    return Tenant(id=UUID(int=7), slug="acme", name="Acme", settings=settings)


def contribution(kind: type[TenantSettings] | None = Terms, asked: type[TenantSettings] = Terms) -> Contribution:
    router = APIRouter(prefix="/things", dependencies=[signed_in])

    what_is_set = inject(asked)

    @router.get("/terms")
    async def terms(set_by_tenant: Any = what_is_set) -> dict[str, Any]:
        told: dict[str, Any] = set_by_tenant.model_dump()
        return told

    return Contribution(routers=[router], provides=[TenantDirectory], tenant_settings=kind)


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({}, {"days": 30, "greeting": "Hello"}),
        ({"things": {"days": 7}}, {"days": 7, "greeting": "Hello"}),
        ({"others": {"days": 7}}, {"days": 30, "greeting": "Hello"}),
        ({"things": {"days": 700, "greeting": "Ciao"}}, {"days": 30, "greeting": "Ciao"}),
        ({"things": {"days": "soon", "gone": 1}}, {"days": 30, "greeting": "Hello"}),
    ],
)
async def test_a_route_gets_what_the_active_tenant_has_set(
    app_of: AppOf, stored: dict[str, Any], told: dict[str, Any]
) -> None:
    app = app_of(things=contribution())
    app.runtime.registry.services[TenantDirectory] = OneTenant(tenant(**stored))
    answer = await client_of(app).get("/things/terms", headers=credentials("a;viewer;acme"))

    assert (answer.status_code, answer.json()) == (200, told)


async def test_a_route_that_reads_them_needs_a_tenant(app_of: AppOf) -> None:
    app = app_of(things=contribution())
    app.runtime.registry.services[TenantDirectory] = OneTenant(tenant())
    answer = await client_of(app).get("/things/terms", headers=credentials("a;viewer;"))

    assert answer.status_code == 400
    assert "X-Tenant-ID" in answer.json()["detail"]


def test_what_is_stored_and_not_valid_any_more_is_told_once_without_its_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = tenant(things={"days": "canary-hunter2"})

    assert {one.settings_of("things", Terms).days for _ in range(3)} == {30}
    assert [record.getMessage() for record in caplog.records] == [
        "the tenant's setting days of the plugin things is not valid any more: its default is used"
    ]


def test_what_is_not_valid_together_is_left_together() -> None:
    assert tenant(things={"least": 20}).settings_of("things", Limits) == Limits()


def test_they_are_frozen_and_take_nothing_unknown() -> None:
    with pytest.raises(ValidationError):
        Terms().days = 3  # type: ignore[misc]  # the point of the test
    with pytest.raises(ValidationError):
        Terms.model_validate({"dayz": 3})


def test_hooks_get_them_from_their_context(app_of: AppOf) -> None:
    app = app_of(things=contribution()).runtime.apps["things"]

    assert Context(app=app, tenant=tenant(things={"days": 3})).settings(Terms).days == 3
    with pytest.raises(BadRequest):
        Context(app=app).settings(Terms)
    with pytest.raises(LookupError, match="tenant_settings"):
        Context(app=app, tenant=tenant()).settings(Foreign)


def test_asking_for_what_nobody_declares_stops_the_start(app_of: AppOf) -> None:
    with pytest.raises(StartError) as caught:
        app_of(things=contribution(None))

    what = "/api/v1/things/terms reads the tenant settings Terms, which nobody declares"
    assert str(caught.value).startswith(f"things: check: {what} ({__file__}:")
    assert str(caught.value).endswith("; add it to Contribution(tenant_settings=...)")


def test_those_of_another_plugin_may_be_read(app_of: AppOf) -> None:
    app = app_of(things=contribution(Terms, Foreign), others=Contribution(tenant_settings=Foreign))

    assert app.runtime.apps["things"].tenant_settings == {"things": Terms, "others": Foreign}


def test_each_needs_a_default(app_of: AppOf) -> None:
    class Needy(TenantSettings):
        days: int

    class Plain:
        days = 30

    with pytest.raises(StartError, match=r"Needy has no valid default for days .*give it one"):
        app_of(things=Contribution(tenant_settings=Needy))
    with pytest.raises(StartError, match="tenant_settings is no class of TenantSettings"):
        app_of(things=Contribution(tenant_settings=Plain))  # type: ignore[arg-type]  # the point of the test


def test_an_app_tells_which_plugins_may_be_turned_off_for_a_tenant(app_of: AppOf) -> None:
    runtime = app_of(things=contribution(), others=Contribution(optional_for_tenants=True)).runtime

    assert runtime.apps["things"].tenant_plugins == {"things": False, "others": True}
