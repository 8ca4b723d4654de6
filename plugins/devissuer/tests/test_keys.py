"""Keys are created once, rotated without a failed request, and deleted."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from httpx import AsyncClient
from joserfc import jws

from vinc_devissuer.commands import rotate_keys
from vinc_devissuer.service.issuer import DevIssuer
from vinc_identity.contracts import ProviderUser
from vinc_kernel import App
from vinc_testing import Database, VincApp

from .conftest import INTERVAL, me, sign_in


def kid_of(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])


async def published(client: AsyncClient) -> list[str]:
    return [key["kid"] for key in (await client.get("/devissuer/jwks")).json()["keys"]]


async def test_two_workers_that_need_a_key_at_once_make_one(client: AsyncClient, vinc_second_app: VincApp) -> None:
    async with vinc_second_app.client() as other:
        found = await asyncio.gather(*(published(one) for one in (client, other, client, other)))

    assert len(found[0]) == 1
    assert found == [found[0]] * 4


async def test_a_rotation_fails_no_request_on_any_worker(
    client: AsyncClient, alice: ProviderUser, vinc_app: VincApp, vinc_second_app: VincApp
) -> None:
    seen: list[tuple[str, int]] = []

    async def call(one: AsyncClient) -> None:
        token = (await sign_in(one)).json()["access_token"]
        seen.extend([(kid_of(token), await me(asked, token)) for asked in (client, other)])

    async def keep_calling() -> None:
        while True:
            await call(client)
            await call(other)

    async with vinc_second_app.client() as other:
        calling = asyncio.create_task(keep_calling())
        await call(client)
        for _ in range(2):  # by a worker that neither of those is told of
            await rotate_keys(vinc_second_app.plugin("devissuer"))
            await asyncio.sleep(3 * INTERVAL)
            vinc_app.clock.advance(seconds=61)
            await asyncio.sleep(3 * INTERVAL)
        calling.cancel()
        with suppress(asyncio.CancelledError):
            await calling
        kids = await published(client)

    assert {status for _, status in seen} == {200}
    assert list(dict.fromkeys(kid for kid, _ in seen)) == kids
    assert len(kids) == 3


async def test_a_key_is_told_for_a_minute_before_it_signs(
    client: AsyncClient, alice: ProviderUser, app: App, vinc_app: VincApp
) -> None:
    await sign_in(client)
    await rotate_keys(app)
    first, second = await published(client)
    before = kid_of((await sign_in(client)).json()["access_token"])
    vinc_app.clock.advance(seconds=61)
    after = kid_of((await sign_in(client)).json()["access_token"])

    assert (before, after) == (first, second)


async def test_keys_are_dropped_when_all_that_they_signed_has_expired(
    client: AsyncClient, app: App, vinc_app: VincApp
) -> None:
    (first,) = await published(client)
    vinc_app.clock.advance(days=1)
    await rotate_keys(app)
    assert (await published(client))[0] == first  # it signed until this moment, however old it is

    vinc_app.clock.advance(
        seconds=380
    )  # a minute until the second signs, five for the last token of the first, and its leeway
    await rotate_keys(app)
    assert len(await published(client)) == 3

    vinc_app.clock.advance(seconds=20)
    await rotate_keys(app)
    kids = await published(client)
    assert first not in kids
    assert len(kids) == 3


async def test_a_withdrawn_key_opens_nothing_although_its_tokens_have_not_expired(
    client: AsyncClient, alice: ProviderUser, app: App
) -> None:
    old = (await sign_in(client)).json()["access_token"]
    before = await me(client, old)
    await rotate_keys(app, now=True)
    await asyncio.sleep(3 * INTERVAL)
    new = (await sign_in(client)).json()["access_token"]

    assert (before, await me(client, old), await me(client, new)) == (200, 401, 200)
    assert await published(client) == [kid_of(new)]


async def test_no_private_part_is_in_a_repr(issuer: DevIssuer, app: App, vinc_database: Database) -> None:
    await issuer.keys.ensure()
    ((stored,),) = vinc_database.admin.execute("select private_jwk::json ->> 'd' from devissuer_key").fetchall()

    assert stored not in repr(issuer)
    assert stored not in repr(await issuer.keys.public_key_set())
