"""Invoices over HTTP, as tenants meet them, and the command that reminds of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import AsyncClient

from acme_invoices.service import remind
from vinc_kernel import App, VincError
from vinc_kernel.testing import Application, ClientAs

NEW = {"number": "2026-1", "amount": "12.50"}


async def test_a_tenant_sees_its_own_invoices_only(client_as: ClientAs) -> None:
    ours, theirs = client_as("wholesale_admin", "acme"), client_as("wholesale_admin", "other")

    assert (await ours.post("/invoices", json=NEW)).status_code == 201
    assert [each["number"] for each in (await ours.get("/invoices")).json()] == ["2026-1"]
    assert (await theirs.get("/invoices")).json() == []


async def test_two_tenants_may_use_one_number_and_one_tenant_only_once(client_as: ClientAs) -> None:
    ours, theirs = client_as("wholesale_admin", "acme"), client_as("wholesale_admin", "other")
    answers = [await each.post("/invoices", json=NEW) for each in (ours, theirs, ours)]

    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert answers[2].json()["type"] == "urn:vinc:problem:conflict"


async def test_an_invoice_is_due_when_the_terms_say(client_as: ClientAs) -> None:
    made = (await client_as("wholesale_admin", "acme").post("/invoices", json=NEW)).json()

    assert (made["amount"], made["due"]) == ("12.50", str(datetime.now(UTC).date() + timedelta(days=5)))


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
    assert (await admin.get("/invoices")).json() == []


async def test_what_is_due_soon_is_printed(vinc_app: Application, client_as: ClientAs, printer: Any) -> None:
    for slug in ("acme", "other"):
        await client_as("wholesale_admin", slug).post("/invoices", json=NEW)
    app = App(vinc_app.services, "invoices")
    await remind(app, "acme", days=4)
    early = list(printer.printed)
    await remind(app, "acme", days=5)
    due = datetime.now(UTC).date() + timedelta(days=5)

    assert early == []
    assert printer.printed == [f"Acme: invoice 2026-1 over 12.50 is due {due}"]


async def test_nobody_can_be_reminded_for_a_tenant_that_is_not_there(vinc_app: Application) -> None:
    with pytest.raises(VincError, match="there is no tenant 'nowhere'"):
        await remind(App(vinc_app.services, "invoices"), "nowhere")
