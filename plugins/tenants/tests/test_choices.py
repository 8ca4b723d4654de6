"""What a tenant sets in each plugin, and which plugins are on for it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient

from vinc_testing import ClientAs, Database

DEFAULTS = {"billing": {"days": 30, "footer": "Thank you"}}


@pytest.fixture
def platform(client_as: ClientAs, acme: UUID) -> AsyncClient:
    return client_as("super_admin", "acme")


async def put(api: AsyncClient, address: str, body: Any) -> tuple[int, Any]:
    """Send a PUT as somebody who has just read it; status and body of the answer."""
    etag = (await api.get(address)).headers["etag"]
    answer = await api.put(address, json=body, headers={"If-Match": etag})
    return answer.status_code, answer.json()


async def test_an_unset_setting_has_its_default(admin: AsyncClient, acme: UUID) -> None:
    answer = await admin.get(f"/tenants/{acme}/settings")

    assert (answer.status_code, answer.json()) == (200, DEFAULTS)


async def test_a_setting_works_in_its_plugin_at_once_and_for_nobody_else(
    admin: AsyncClient, client_as: ClientAs, acme: UUID
) -> None:
    other = client_as("wholesale_admin", "globex")
    before = [(await api.get("/billing")).json()["days"] for api in (admin, other)]
    done = await put(admin, f"/tenants/{acme}/settings", {"billing": {"days": 14}})
    after = [(await api.get("/billing")).json()["days"] for api in (admin, other)]

    assert done == (200, {"billing": {"days": 14, "footer": "Thank you"}})
    assert (before, after) == ([30, 30], [14, 30])


async def test_settings_are_set_as_a_whole(admin: AsyncClient, acme: UUID) -> None:
    await put(admin, f"/tenants/{acme}/settings", {"billing": {"days": 14, "footer": "Bye"}})
    done = [await put(admin, f"/tenants/{acme}/settings", body) for body in ({"billing": {"footer": "Hello"}}, {})]

    assert done == [(200, {"billing": {"days": 30, "footer": "Hello"}}), (200, DEFAULTS)]


@pytest.mark.parametrize(
    ("tail", "body", "pointers"),
    [
        *(("settings", {"billing": {"days": days}}, ["/billing/days"]) for days in ("14", "1_0", True, 1.0)),
        ("settings", {"billing": {"days": -1, "colour": "red"}}, ["/billing/days", "/billing/colour"]),
        ("settings", {"nobody": {}}, ["/nobody"]),
        ("settings", {"tenants": {"purge_after": 1}}, ["/tenants"]),
        ("settings", {"billing": 5}, ["/billing"]),
        ("settings", {"billing": None}, ["/billing"]),
        ("settings", {"billing": {"footer": "a\x00b"}}, ["/billing/footer"]),
        ("settings", [], [""]),
        ("plugins", {"nobody": False}, ["/nobody"]),
        ("plugins", {"tenants": False, "health": True}, ["/tenants", "/health"]),
        ("plugins", {"billing": "false"}, ["/billing"]),
        ("plugins", {"billing": 0}, ["/billing"]),
        ("plugins", {"billing": None}, ["/billing"]),
        ("plugins", [], [""]),
    ],
)
async def test_an_invalid_choice_is_422_with_its_locations_and_changes_nothing(
    platform: AsyncClient, acme: UUID, tail: str, body: Any, pointers: list[str]
) -> None:
    before = (await platform.get(f"/tenants/{acme}/{tail}")).json()
    status, problem = await put(platform, f"/tenants/{acme}/{tail}", body)

    assert (status, [one["pointer"] for one in problem["errors"]]) == (422, pointers)
    assert (await platform.get(f"/tenants/{acme}/{tail}")).json() == before


async def test_choices_for_a_plugin_that_does_not_run_are_kept(
    admin: AsyncClient, platform: AsyncClient, acme: UUID, vinc_database: Database
) -> None:
    vinc_database.admin.execute(
        "update tenants_tenant set settings = %s, disabled_plugins = %s",
        ['{"retired": {"days": 3}, "billing": {"days": 5}}', '["retired", "billing"]'],
    )
    await put(platform, f"/tenants/{acme}/settings", {"billing": {"days": 14}})
    await put(platform, f"/tenants/{acme}/plugins", {"billing": True})
    stored = "select settings, disabled_plugins from tenants_tenant"
    ((settings, disabled_plugins),) = vinc_database.admin.execute(stored).fetchall()

    assert settings == {"retired": {"days": 3}, "billing": {"days": 14}}
    assert disabled_plugins == ["retired"]


async def test_a_stored_setting_that_is_no_longer_valid_has_its_default(
    admin: AsyncClient, acme: UUID, vinc_database: Database
) -> None:
    stored = '{"billing": {"days": 9999, "footer": "Bye", "gone": 1}}'
    vinc_database.admin.execute("update tenants_tenant set settings = %s", [stored])

    assert (await admin.get(f"/tenants/{acme}/settings")).json() == {"billing": {"days": 30, "footer": "Bye"}}
    assert (await admin.get("/billing")).json()["days"] == 30


async def test_a_plugin_that_is_off_is_not_there_for_one_tenant_alone(
    platform: AsyncClient, client_as: ClientAs, acme: UUID
) -> None:
    ours, theirs = client_as("viewer", "acme"), client_as("viewer", "globex")
    done = await put(platform, f"/tenants/{acme}/plugins", {"billing": False})
    off = [(await api.get("/billing")).status_code for api in (ours, theirs)]
    seen = (await ours.get(f"/tenants/{acme}/plugins")).json()
    again = await put(platform, f"/tenants/{acme}/plugins", {})
    on = [(await api.get("/billing")).status_code for api in (ours, theirs)]

    assert (done, seen, again) == ((200, {"billing": False}), {"billing": False}, (200, {"billing": True}))
    assert (off, on) == ([404, 200], [200, 200])


async def test_who_manages_a_tenant_does_not_switch_its_plugins(admin: AsyncClient, acme: UUID) -> None:
    answer = await admin.put(f"/tenants/{acme}/plugins", json={"billing": False}, headers={"If-Match": "*"})

    assert answer.status_code == 403
    assert answer.json()["detail"] == "This needs the capability: tenants.switch."


async def test_a_plugin_that_is_off_is_nowhere_also_while_the_tenant_is_suspended(
    platform: AsyncClient, admin: AsyncClient, acme: UUID
) -> None:
    await platform.put(f"/tenants/{acme}/plugins", json={"billing": False}, headers={"If-Match": "*"})
    await platform.post(f"/tenants/{acme}/suspend")
    document = (await admin.get("/openapi.json")).json()

    assert (await admin.get("/billing")).status_code == 404
    assert "/api/v1/billing" not in document["paths"]
    assert "/api/v1/tenants/me" in document["paths"]
