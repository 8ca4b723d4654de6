"""The command that reminds of what is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from acme_invoices.contracts import InvoiceCreated
from acme_invoices.printer import Printer
from acme_invoices.service import remind
from vinc_kernel import VincError
from vinc_testing import ClientAs, Clock, VincApp

NEW = {"number": "2026-1", "amount": "12.50"}


@pytest.fixture
def vinc_environment(printer: Any) -> Mapping[str, str]:
    """`vinc_app` reads its settings from here."""
    return {"VINC_INVOICES__PRINTER_URL": printer.url}


async def test_what_is_due_soon_is_printed(vinc_app: VincApp, client_as: ClientAs, printer: Any) -> None:
    for slug in ("acme", "other"):
        await client_as("wholesale_admin", slug).post("/invoices", json=NEW)
    app = vinc_app.plugin("invoices")
    await remind(app, "acme", days=29)
    early = list(printer.printed)
    await remind(app, "acme", days=30)
    due = datetime.now(UTC).date() + timedelta(days=30)

    assert early == []
    assert printer.printed == [f"Acme: invoice 2026-1 over 12.50 is due {due}"]


async def test_nobody_can_be_reminded_for_a_tenant_that_is_not_there(vinc_app: VincApp) -> None:
    with pytest.raises(VincError, match="there is no tenant 'nowhere'"):
        await remind(vinc_app.plugin("invoices"), "nowhere")


@dataclass
class RecordingPrinter(Printer):
    """Keeps the lines instead of printing them."""

    lines: list[str] = field(default_factory=list)

    async def send(self, line: str) -> None:
        self.lines.append(line)


async def test_an_invoice_is_announced_and_a_reminder_is_printed_before_it_is_due(
    vinc_app: VincApp, vinc_clock: Clock, client_as: ClientAs
) -> None:
    recording = RecordingPrinter()
    vinc_app.override(Printer, recording)
    created = (await client_as("wholesale_admin", "acme").post("/invoices", json=NEW)).json()
    vinc_clock.advance(days=23)
    await remind(vinc_app.plugin("invoices"), "acme", days=7)

    assert vinc_app.events == [InvoiceCreated(invoice_id=UUID(created["id"]))]
    assert recording.lines == [f"Acme: invoice 2026-1 over 12.50 is due {created['due']}"]
