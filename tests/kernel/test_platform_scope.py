"""Routes above all tenants: who comes in, and what cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, get_args

import pytest
from fastapi import APIRouter, Depends

from vinc_kernel import (
    Capability,
    Contribution,
    OrmSession,
    Role,
    Session,
    StartError,
    Tenant,
    TenantDirectory,
    TenantSettings,
    inject,
    platform_only,
    platform_session,
    public,
    require_capabilities,
    require_roles,
)

from ..credentials import credentials
from .conftest import AppOf, client_of

MANAGE = Capability("things.manage", title="Manage", roles=["viewer"])
ROLES = [
    Role(name="viewer", title="Viewer", rank=1),
    Role(name="root", title="Root", rank=9, aliases=["super"], platform=True),
    Role(name="operator", title="Operator", rank=8, platform=True),
]
Platform = Annotated[Session, platform_session("a test counts everything")]


class Terms(TenantSettings):
    days: int = 30


async def count_all(db: Platform) -> str:
    return "all"


async def plain() -> str:
    return "all"


def route(endpoint: Any, *dependencies: Any) -> Contribution:
    """The plugin of one route, /things/all."""
    router = APIRouter(prefix="/things")
    router.add_api_route("/all", endpoint, dependencies=dependencies)
    return Contribution(
        routers=[router], capabilities=[MANAGE], roles=ROLES, provides=[TenantDirectory], tenant_settings=Terms
    )


class Nobody:
    """A directory that must not be asked."""

    async def find(self, key: object) -> Tenant | None:
        raise AssertionError(key)


@pytest.mark.parametrize(
    ("who", "status"),
    [
        (None, 401),
        ("a;viewer;acme", 403),
        ("a;stranger;", 403),
        ("a;root;", 500),
        ("a;super;", 500),
        ("a;operator;", 500),
    ],
)
@pytest.mark.parametrize("tenant", [None, "acme", "nowhere"])
async def test_only_platform_roles_come_in_whatever_tenant_they_name(
    app_of: AppOf, who: str | None, status: int, tenant: str | None
) -> None:
    """500 is the database that these tests have not: whoever hears of it was let in."""
    app = app_of(things=route(count_all))
    app.runtime.registry.services[TenantDirectory] = Nobody()
    headers = (credentials(f"{who}") if who else {}) | ({"X-Tenant-ID": tenant} if tenant else {})
    answer = await client_of(app).get("/things/all", headers=headers)

    assert answer.status_code == status, answer.text


async def test_a_guard_beside_it_counts_as_well(app_of: AppOf) -> None:
    app = app_of(things=route(count_all, require_roles("operator")))
    answer = await client_of(app).get("/things/all", headers=credentials("a;root;"))

    assert (answer.status_code, "operator" in answer.text) == (403, True)


async def of_session(db: Session) -> None: ...


BOTH = "works both in a tenant and on the platform"


@pytest.mark.parametrize(
    ("dependency", "what"),
    [
        (require_capabilities(MANAGE), BOTH),
        (Depends(of_session), BOTH),
        (get_args(OrmSession)[1], BOTH),
        (inject(Terms), BOTH),
        (public("a test"), "is public and guarded"),
    ],
)
@pytest.mark.parametrize("on_platform", [platform_session("a test"), platform_only])
def test_a_route_has_one_scope(app_of: AppOf, dependency: Any, what: str, on_platform: Any) -> None:
    with pytest.raises(StartError) as caught:
        app_of(things=route(plain, on_platform, dependency))

    told = str(caught.value)
    assert told.startswith(f"things: check: the route /things/all {what} ({__file__}:")
    assert "keep one" in told


async def test_a_guard_alone_lets_in_platform_roles_alone(app_of: AppOf) -> None:
    api = client_of(app_of(things=route(plain, platform_only)))
    for role, status in (("viewer", 403), ("super", 200)):
        answer = await api.get("/things/all", headers=credentials(f"a;{role};"))
        assert answer.status_code == status


def test_a_route_on_the_platform_says_that_it_needs_credentials_and_no_tenant(app_of: AppOf) -> None:
    app = app_of(things=route(count_all))

    assert b'"security":[{"token":[]}]' in app.openapi()


@pytest.mark.parametrize("declare", [platform_session, public])
@pytest.mark.parametrize("reason", ["", "  ", None, 3])
def test_it_needs_its_reason_and_so_does_what_is_public(declare: Callable[[Any], object], reason: Any) -> None:
    with pytest.raises(TypeError, match="reason"):
        declare(reason)
