"""The page on which a person chooses a password: one use, a day, and nothing of it elsewhere."""

from __future__ import annotations

import asyncio
import logging
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx import AsyncClient, Response

from vinc_identity.contracts import IdentityProvider, Profile, ProviderUser
from vinc_testing import Database, VincApp

from .conftest import ALICE, ask, sign_in

CHOSEN = "a password of my own"


def token_in(link: str) -> str:
    (found,) = parse_qs(urlsplit(link).query)["token"]
    return found


async def invite(users: IdentityProvider, subject: str) -> str:
    link = await users.invite(subject)
    assert link is not None
    assert link.startswith("http://localhost/api/v1/devissuer/password?token=")
    return token_in(link)


async def post(client: AsyncClient, token: str, password: str = CHOSEN, again: str = CHOSEN) -> Response:
    return await client.post("/devissuer/password", data={"token": token, "password": password, "again": again})


async def test_a_link_is_good_for_one_password(
    client: AsyncClient, alice: ProviderUser, users: IdentityProvider
) -> None:
    session = (await sign_in(client)).json()["refresh_token"]
    token = await invite(users, alice.subject)
    shown = [await client.get("/devissuer/password", params={"token": token}) for _ in range(2)]
    first, second = await post(client, token), await post(client, token, "another password", "another password")
    gone = await client.get("/devissuer/password", params={"token": token})

    assert [one.status_code for one in (*shown, first, second, gone)] == [200, 200, 200, 400, 400]
    assert (await sign_in(client, password=CHOSEN)).status_code == 200
    assert (await sign_in(client)).status_code == 400
    assert (await ask(client, "refresh_token", refresh_token=session)).status_code == 400


async def test_the_page_is_a_form_without_scripts_that_tells_no_other_page_its_address(
    client: AsyncClient, alice: ProviderUser, users: IdentityProvider
) -> None:
    token = await invite(users, alice.subject)
    shown = await client.get("/devissuer/password", params={"token": token})
    policy = shown.headers["content-security-policy"]

    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "<script" not in shown.text
    assert (shown.headers["referrer-policy"], shown.headers["cache-control"]) == ("no-referrer", "no-store")
    assert re.findall(r'<form method="post" action="password">', shown.text)
    assert f'name="token" value="{token}"' in shown.text
    assert ALICE in shown.text


async def test_the_page_escapes_its_values(client: AsyncClient, users: IdentityProvider) -> None:
    made = await users.create(Profile(email='"><script>@acme.example'))
    token = await invite(users, made.subject)
    shown = await client.get("/devissuer/password", params={"token": token})
    unknown = await client.get("/devissuer/password", params={"token": '"><script>'})

    assert "&lt;script&gt;@acme" in shown.text
    assert not [one for one in (shown, unknown) if "<script" in one.text]


@pytest.mark.parametrize(
    ("password", "again"),
    [("short", "short"), ("", ""), (CHOSEN, "something else"), (CHOSEN, ""), ("x" * 257, "x" * 257)],
)
async def test_a_password_that_is_not_taken_leaves_the_link_good(
    client: AsyncClient, alice: ProviderUser, users: IdentityProvider, password: str, again: str
) -> None:
    token = await invite(users, alice.subject)
    refused = await post(client, token, password, again)

    assert refused.status_code == 400
    assert f'value="{token}"' in refused.text
    assert (await post(client, token)).status_code == 200


async def test_a_link_is_too_old_after_a_day_and_goes_with_the_next_one(
    client: AsyncClient, alice: ProviderUser, users: IdentityProvider, vinc_app: VincApp
) -> None:
    replaced, old = await invite(users, alice.subject), await invite(users, alice.subject)
    vinc_app.clock.advance(hours=23, minutes=59)
    still = await client.get("/devissuer/password", params={"token": old})
    vinc_app.clock.advance(minutes=1)
    answers = [await post(client, token) for token in (replaced, old, "", "x" * 5000)]

    assert still.status_code == 200
    assert [one.status_code for one in answers] == [400] * 4
    assert len({one.content for one in answers}) == 1


async def test_of_several_that_use_a_link_at_once_one_sets_the_password(
    client: AsyncClient, alice: ProviderUser, users: IdentityProvider
) -> None:
    token = await invite(users, alice.subject)
    passwords = [f"password number {number}" for number in range(4)]
    answers = await asyncio.gather(*(post(client, token, one, one) for one in passwords))
    works = [(await sign_in(client, password=one)).status_code for one in passwords]

    assert sorted(one.status_code for one in answers) == [200, 400, 400, 400]
    assert works == [200 if one.status_code == 200 else 400 for one in answers]


async def test_a_temporary_password_opens_nothing_but_the_page(
    client: AsyncClient, alice: ProviderUser, users: IdentityProvider
) -> None:
    await users.set_password(alice.subject, "for now only", temporary=True)
    answer = await sign_in(client, password="for now only")
    refused = answer.json()

    assert (answer.status_code, refused["error"]) == (400, "invalid_grant")
    assert refused["error_description"].startswith("Account is not fully set up")
    assert (await post(client, token_in(refused["error_uri"]))).status_code == 200
    assert (await sign_in(client, password=CHOSEN)).status_code == 200
    assert "error_uri" not in (await sign_in(client, password="for now only")).json()


async def test_no_secret_is_logged_or_stored(
    client: AsyncClient,
    alice: ProviderUser,
    users: IdentityProvider,
    vinc_database: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    token = await invite(users, alice.subject)
    await client.get("/devissuer/password", params={"token": token})
    await post(client, token)
    given = (await sign_in(client, password=CHOSEN, scope="openid")).json()
    secrets = [token, CHOSEN, *(given[name] for name in ("access_token", "refresh_token", "id_token"))]
    stored = "".join(
        str(vinc_database.admin.execute(f"select * from devissuer_{name}".encode()).fetchall())
        for name in ("user", "session", "invite", "failure")
    )
    logged = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))

    assert [one for one in secrets if one in stored] == []
    assert [one for one in secrets if one in logged] == []
