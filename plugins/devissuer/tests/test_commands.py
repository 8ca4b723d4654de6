"""`vinc devissuer ...`."""

from __future__ import annotations

import pytest
from httpx import AsyncClient

from vinc_devissuer.commands import demo, token, users
from vinc_devissuer.service.issuer import DevIssuer
from vinc_identity.contracts import IdentityProvider, ProviderUser
from vinc_kernel import App, VincError
from vinc_testing import Database

from .conftest import ALICE, bearer, me, sign_in

PEOPLE = ["admin", "agent", "agentadmin", "helpdesk", "reseller", "viewer"]
DEMO = sorted(
    [f"{who}@{slug}.example" for who in PEOPLE for slug in ("acme", "globex")]
    + ["admin2@acme.example", "super@vinc.example"]
)


async def test_a_token_is_printed_for_curl_and_nothing_else(
    app: App, client: AsyncClient, alice: ProviderUser, capsys: pytest.CaptureFixture[str]
) -> None:
    await token(app, email="Alice@acme.example")
    printed = capsys.readouterr().out

    assert printed.count("\n") == 1
    assert await me(client, printed.strip()) == 200


async def test_nobody_and_who_is_disabled_get_no_token(app: App, users: IdentityProvider, alice: ProviderUser) -> None:
    await users.disable(alice.subject)
    with pytest.raises(VincError, match="disabled"):
        await token(app, email=ALICE)
    with pytest.raises(VincError, match="vinc devissuer users"):
        await token(app, email="nobody@acme.example")


async def test_the_demo_accounts_are_added_once_and_sign_in_with_the_password_that_is_printed(
    app: App, issuer: DevIssuer, client: AsyncClient, vinc_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    for slug in ("acme", "globex"):
        vinc_database.add_tenant(slug)
    await demo(app)
    *added, last = capsys.readouterr().out.splitlines()
    vinc_database.admin.execute("update devissuer_user set name = 'changed'")
    await demo(app)
    again = capsys.readouterr().out
    password = last.rpartition(" ")[2]
    answers = {email: await sign_in(client, email=email, password=password) for email in DEMO}
    seen = {}
    for email in ("super@vinc.example", "viewer@acme.example", "admin2@acme.example"):
        headers = bearer(answers[email].json()["access_token"])
        seen[email] = [
            (await client.get("/tenants/me", headers=headers | {"X-Tenant-ID": slug})).status_code
            for slug in ("acme", "globex")
        ]

    assert added == [f"added {email}" for email in DEMO]
    assert again.startswith("0 accounts added")
    assert {one.status_code for one in answers.values()} == {200}
    assert list(seen.values()) == [[200, 200], [200, 403], [200, 200]]


async def test_accounts_are_listed(app: App, alice: ProviderUser, capsys: pytest.CaptureFixture[str]) -> None:
    await users(app)
    head, row = capsys.readouterr().out.splitlines()

    assert head.split() == ["account", "id", "role", "tenants", "state"]
    assert row.split() == [ALICE, alice.subject, "viewer", "acme", "enabled"]
