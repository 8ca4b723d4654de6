"""The log says who is refused and why, and who has changed what of whom; both are found by the principal's id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from vinc_identity.commands import people, service_accounts
from vinc_kernel import App
from vinc_testing import Database, VincApp

from .conftest import Caller, SignIn, machine


def lines_of(caplog: pytest.LogCaptureFixture, principal: UUID) -> list[str]:
    lines = [one.getMessage() for one in caplog.records]
    caplog.clear()
    return [line for line in lines if line.startswith(f"the principal {principal} ")]


async def test_each_reason_to_refuse_somebody_is_a_line_of_its_own(
    app: App,
    sign_in: SignIn,
    vinc_app: VincApp,
    vinc_database: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vinc_database.add_tenant("acme")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    await service_accounts.create(app, name="billing", tenant="acme", role="viewer", expires=tomorrow)
    billing = sign_in("billing", **machine("billing"))
    principal = await billing.id()
    caplog.set_level("INFO")
    caplog.clear()
    refused = []

    async def why(caller: Caller) -> None:
        assert await caller.status() == 401
        refused.extend(lines_of(caplog, principal))

    await why(sign_in("billing"))
    await service_accounts.end(app, "billing")
    lines_of(caplog, principal)
    await why(billing)
    vinc_app.clock.advance(days=1)
    await why(sign_in("billing", **machine("billing")))
    await service_accounts.disable(app, "billing")
    lines_of(caplog, principal)
    await why(billing)

    start = f"the principal {principal} is refused: "
    assert refused == [
        f"{start}it is known as a service, and the token is of a person",
        f"{start}the session has ended",
        f"{start}the account has expired",
        f"{start}it is disabled",
    ]


async def test_what_is_changed_of_a_principal_is_logged_once_with_who_did_it(
    app: App, sign_in: SignIn, boss: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    principal, by = await sign_in().id(), await boss.id()
    caplog.set_level("INFO")
    caplog.clear()
    await sign_in().ask("POST", "/identity/sessions/end")
    for verb in ("end-sessions", "disable", "enable"):
        await boss.ask("POST", f"/identity/principals/{principal}/{verb}")
    await people.disable(app, str(principal))

    assert lines_of(caplog, principal) == [
        f"the principal {principal} is signed out everywhere, by {principal}",
        f"the principal {principal} is signed out everywhere, by {by}",
        f"the principal {principal} is disabled, by {by}",
        f"the principal {principal} is enabled, by {by}",
        f"the principal {principal} is disabled, by an operator's command",
    ]
