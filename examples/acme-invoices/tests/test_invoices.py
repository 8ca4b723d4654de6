"""The routes of invoices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from httpx import AsyncClient, Response

from vinc_testing import ClientAs

NEW = {"number": "2026-1", "amount": "12.50"}


def due_in(days: int) -> str:
    return str(datetime.now(UTC).date() + timedelta(days=days))


def numbers(page: Response) -> list[str]:
    return [each["number"] for each in page.json()["items"]]


async def test_a_tenant_sees_its_own_invoices_only(client_as: ClientAs) -> None:
    ours, theirs = client_as("wholesale_admin", "acme"), client_as("wholesale_admin", "other")
    created = await ours.post("/invoices", json=NEW)

    assert (created.status_code, (await ours.follow(created)).json()) == (201, created.json())
    assert (await theirs.follow(created)).status_code == 404
    assert numbers(await ours.get("/invoices")) == ["2026-1"]
    assert numbers(await theirs.get("/invoices")) == []


async def test_two_tenants_may_use_one_number_and_one_tenant_only_once(client_as: ClientAs) -> None:
    ours, theirs = client_as("wholesale_admin", "acme"), client_as("wholesale_admin", "other")
    answers = [await each.post("/invoices", json=NEW) for each in (ours, theirs, ours)]

    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert answers[2].json()["type"] == "urn:vinc:problem:conflict"


async def test_an_invoice_is_due_in_thirty_days_unless_the_tenant_has_other_terms(client_as: ClientAs) -> None:
    acme = client_as("wholesale_admin", "acme")
    other = client_as("wholesale_admin", "other", settings={"invoices": {"days": 5}})
    invoices = [(await each.post("/invoices", json=NEW)).json() for each in (acme, other)]

    assert [(one["amount"], one["due"]) for one in invoices] == [("12.50", due_in(30)), ("12.50", due_in(5))]


async def test_a_list_comes_in_pages_by_number_or_by_due(client_as: ClientAs) -> None:
    admin = client_as("wholesale_admin", "acme")
    for number, days in (("1", 9), ("2", 7), ("3", 8)):
        created = await admin.post("/invoices", json={**NEW, "number": number})
        seen = {"If-Match": created.headers["ETag"]}
        change = await admin.patch(f"/invoices/{created.json()['id']}", json={"due": due_in(days)}, headers=seen)
        assert change.status_code == 200
    first = await admin.get("/invoices", params={"limit": 2, "order_by": "-due"})
    every = await admin.items("/invoices", limit=2, order_by="-due")

    assert (numbers(first), [one["number"] for one in every]) == (["1", "3"], ["1", "3", "2"])
    assert numbers(await admin.get("/invoices")) == ["1", "2", "3"]
    assert numbers(await admin.get("/invoices", params={"number": ["3", "1"]})) == ["1", "3"]
    assert numbers(await admin.get("/invoices", params={"due_from": due_in(7), "due_before": due_in(8)})) == ["2"]
    assert (await admin.get("/invoices", params={"order_by": "amount"})).status_code == 422


async def test_who_has_not_seen_the_last_change_makes_none(client_as: ClientAs) -> None:
    admin = client_as("wholesale_admin", "acme")
    created = await admin.post("/invoices", json=NEW)
    address, seen = f"/invoices/{created.json()['id']}", {"If-Match": created.headers["ETag"]}
    changed = await admin.patch(address, json={"amount": "13.50"}, headers=seen)
    late = [
        await admin.patch(address, json={"amount": "1"}, headers=seen),
        await admin.delete(address, headers=seen),
        await admin.patch(address, json={"amount": "1"}),
        await admin.patch(address, json={"number": None}, headers={"If-Match": "*"}),
    ]
    gone = await admin.delete(address, headers={"If-Match": changed.headers["ETag"]})

    assert (changed.status_code, changed.json()["amount"], changed.json()["number"]) == (200, "13.50", "2026-1")
    assert [answer.status_code for answer in late] == [412, 412, 428, 422]
    assert (gone.status_code, (await admin.get(address)).status_code) == (204, 404)


async def test_without_the_capability_it_is_403(client_as: ClientAs) -> None:
    viewer = client_as("viewer", "acme")
    answers = [await viewer.get("/invoices"), await viewer.post("/invoices", json=NEW)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json()["detail"] == "This needs the capability: invoices.manage."


async def test_nobody_is_401_whatever_the_body(client: AsyncClient) -> None:
    assert (await client.post("/invoices", content=b"{")).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        rb'{"number": "2026\u0000", "amount": "1"}',
        rb'{"number": "\ud800", "amount": "1"}',
        b'{"number": "", "amount": "1"}',
        b'{"number": "2026-1", "amount": NaN}',
        b'{"number": "2026-1", "amount": "NaN"}',
        b'{"number": "2026-1", "amount": 1e400}',
        b'{"number": "2026-1", "amount": "1", "due": "2026-01-01"}',
        b"{",
    ],
    ids=["NUL", "half a character", "empty", "NaN", "NaN as text", "too much", "a field of ours", "no JSON"],
)
async def test_what_cannot_be_stored_is_422(client_as: ClientAs, body: bytes) -> None:
    admin = client_as("wholesale_admin", "acme")
    answer = await admin.post("/invoices", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert numbers(await admin.get("/invoices")) == []
