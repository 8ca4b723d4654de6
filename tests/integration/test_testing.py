"""The pytest plugin: the application on real servers, clean for each test, quick, and gone with the run."""

from time import perf_counter

import pytest
from httpx import AsyncClient

from vinc_kernel.testing import ClientAs, Database


async def test_a_client_reaches_the_application_below_its_prefix(client: AsyncClient) -> None:
    answer = await client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_every_connection_is_up(client: AsyncClient) -> None:
    answer = await client.get("/health/ready")

    assert {check["name"]: check["state"] for check in answer.json()["checks"]} == {"postgres": "up", "redis": "up"}


async def test_a_client_acts_in_its_tenant(client_as: ClientAs) -> None:
    ours, theirs = client_as("wholesale_admin", "acme"), client_as("viewer", "globex")

    assert (await ours.get("/tenants/me")).json()["slug"] == "acme"
    assert (await theirs.get("/tenants/me")).json()["slug"] == "globex"


@pytest.mark.parametrize("_", range(2))
async def test_a_test_finds_nothing_of_the_one_before(client_as: ClientAs, vinc_database: Database, _: int) -> None:
    assert vinc_database.admin.execute("select count(*) from tenants_tenant").fetchone() == (0,)
    client_as("viewer", "acme")


async def test_clearing_is_quick(vinc_database: Database) -> None:
    vinc_database.add_tenant("acme")
    began = perf_counter()
    vinc_database.clear()

    assert perf_counter() - began < 0.2  # 0.02 on a machine of its own
