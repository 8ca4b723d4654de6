"""An issuer's keys are fetched before they are missed, and seldom (threats T4, T9)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from vinc_kernel import Issuer, SignIn

from ..conftest import client_of
from .issuing import AUDIENCE, URL, Caller, CallerOf, Sso, published, rsa


async def test_a_known_key_is_not_asked_for_again(caller: Caller, sso: Sso) -> None:
    assert await caller.statuses([sso.token(sub=str(number)) for number in range(20)]) == [200] * 20
    assert sso.fetched == 1


async def test_a_thousand_unknown_keys_at_once_are_one_fetch(caller: Caller, sso: Sso) -> None:
    known, stranger = sso.token(), rsa("stranger")
    assert (await caller.ask(known)).status_code == 200
    caller.keys.next_fetch = 0  # the interval is over

    async def unknown(number: int) -> int:
        return (await caller.ask(sso.token(key=stranger, header={"kid": str(number)}))).status_code

    before = sso.fetched
    found = await asyncio.gather(*map(unknown, range(1000)), *(caller.statuses([known]) for _ in range(50)))

    assert found == [401] * 1000 + [[200]] * 50
    assert sso.fetched - before == 1


async def test_a_new_key_costs_no_request(caller: Caller, sso: Sso) -> None:
    assert (await caller.ask(sso.token())).status_code == 200
    caller.keys.next_fetch = 0  # the interval is over
    old = sso.token(sub="old")
    sso.keys.insert(0, rsa("b"))

    assert await caller.statuses([sso.token(), old]) == [200, 200]


async def test_a_key_that_hangs_holds_up_nobody_who_is_known(caller_of: CallerOf) -> None:
    sso, hangs = Sso(), asyncio.Event()

    async def jwks() -> Mapping[str, Any]:
        if sso.fetched:
            await hangs.wait()
        return await sso.jwks()

    caller = caller_of(sso.issuer(keys=jwks))
    known = sso.token()
    assert (await caller.ask(known)).status_code == 200
    caller.keys.next_fetch = 0  # the interval is over
    waiting = asyncio.create_task(caller.ask(sso.token(key=rsa("new"))))
    await asyncio.sleep(0.05)

    assert await caller.statuses([known, sso.token(sub="another")]) == [200, 200]
    assert not waiting.done()
    hangs.set()
    assert (await waiting).status_code == 401


async def test_an_issuer_that_is_away_does_not_matter_for_known_keys(caller: Caller, sso: Sso) -> None:
    assert (await caller.ask(sso.token())).status_code == 200
    sso.answer = OSError()
    await caller.keys.refresh()
    unknown = sso.token(key=rsa("new"))

    assert (await caller.ask(sso.token(sub="another"))).status_code == 200
    refused = await caller.ask(unknown)  # it may be a new key: nobody can say
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    sso.answer = ...
    await caller.keys.refresh()
    assert (await caller.ask(unknown)).status_code == 401


async def test_a_fetch_that_was_cancelled_by_somebody_else_ends_nothing(caller_of: CallerOf) -> None:
    sso, fetched, again = Sso(), 0, asyncio.Event()

    async def jwks() -> Mapping[str, Any]:
        nonlocal fetched
        fetched += 1
        if fetched == 1:
            raise asyncio.CancelledError  # as whoever awaits a task that was cancelled
        again.set()
        return await sso.jwks()

    trusted = caller_of(sso.issuer(keys=jwks), VINC_JWT_REFRESH_INTERVAL="0.05").app.runtime.trusted
    fresh = asyncio.create_task(trusted.keep_fresh())
    async with asyncio.timeout(2):
        await again.wait()
    fresh.cancel()
    await asyncio.wait([fresh], timeout=1)

    assert fresh.cancelled()


async def test_an_issuer_that_was_never_there_is_503(caller: Caller, sso: Sso) -> None:
    sso.answer = OSError()

    assert (await caller.ask(sso.token())).status_code == 503


async def test_what_was_verified_with_a_withdrawn_key_is_refused(caller: Caller, sso: Sso) -> None:
    old = sso.token(exp=2**40)
    sso.keys.append(rsa("b"))
    assert await caller.statuses([old, old, sso.token(key=sso.keys[1])]) == [200, 200, 200]
    sso.keys.pop(0)
    await caller.keys.refresh()

    assert await caller.statuses([old, sso.token()]) == [401, 200]


async def test_another_key_of_the_same_name_is_another_key(caller: Caller, sso: Sso) -> None:
    old = sso.token()
    assert (await caller.ask(old)).status_code == 200
    sso.keys[0] = rsa("a")
    await caller.keys.refresh()

    assert await caller.statuses([old, sso.token()]) == [401, 200]


async def test_the_keys_are_fetched_again_all_the_time(caller_of: CallerOf, sso: Sso) -> None:
    trusted = caller_of(sso.issuer(), VINC_JWT_REFRESH_INTERVAL="0.05").app.runtime.trusted
    fresh = asyncio.create_task(trusted.keep_fresh())
    await asyncio.sleep(0.5)
    fresh.cancel()

    assert 3 <= sso.fetched <= 11


async def test_an_issuer_is_forgotten_with_its_plugin(caller: Caller, sso: Sso) -> None:
    token = sso.token()
    assert (await caller.ask(token)).status_code == 200
    caller.app.runtime.registry.withdraw("things")

    assert await caller.statuses([token, sso.token()]) == [401, 401]


async def test_tokens_are_remembered_by_their_hash_and_not_without_bound(caller: Caller, sso: Sso) -> None:
    identity = caller.app.pipeline.identity
    identity.size = 10
    tokens = [sso.token(sub=f"subject-{number}") for number in range(30)]
    await caller.statuses(tokens)

    assert len(identity.cached) == 10
    assert not any(token.encode() in repr(vars(identity)).encode() for token in tokens)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS257", "dir"])
def test_no_plugin_may_trust_by_a_shared_secret(caller_of: CallerOf, sso: Sso, algorithm: str) -> None:
    with pytest.raises(ValueError, match=f"{algorithm} is no algorithm"):
        caller_of(sso.issuer(algorithms=("RS256", algorithm)))


async def test_the_settings_beat_what_a_plugin_says(caller_of: CallerOf, sso: Sso) -> None:
    sign_in = SignIn(flow="password", token_url="/token")
    given = sso.issuer(audience="elsewhere", algorithms=("ES256",), sign_in=sign_in)
    caller = caller_of(given, VINC_JWT_ISSUERS=URL)

    assert caller.app.runtime.trusted.issuers == [Issuer(url=URL, audience=AUDIENCE, keys=sso.jwks, sign_in=sign_in)]
    assert await caller.statuses([sso.token(), sso.token(aud="elsewhere")]) == [200, 401]


def test_a_key_set_has_room_for_a_hundred_keys() -> None:
    from vinc_kernel.tokens.keys import verifying_keys

    key = published(rsa("a"))
    given = {"keys": [key | {"kid": str(number)} for number in range(300)]}

    assert len(verifying_keys(Issuer(url=URL, audience=AUDIENCE), given)) == 100


@pytest.mark.parametrize("member", ["key_ops", "use", "alg", "kty", "kid", "n", "e", "x5c", "crv"])
@pytest.mark.parametrize("value", [None, 5, 1.5, True, "", [], {}, ["verify", None], "verify"], ids=str)
async def test_a_malformed_key_harms_no_other(caller: Caller, sso: Sso, member: str, value: Any) -> None:
    sso.more = [published(rsa("odd")) | {member: value}]

    assert (await caller.ask(sso.token())).status_code == 200
    assert not caller.keys.is_away


async def test_an_issuer_that_answers_nonsense_keeps_nobody_from_being_asked_again(caller_of: CallerOf) -> None:
    odd, good = Sso(url="https://odd.example"), Sso()
    caller = caller_of(odd.issuer(), good.issuer(), VINC_JWT_REFRESH_INTERVAL="0.02")
    fresh = asyncio.create_task(caller.app.runtime.trusted.keep_fresh())
    for odd.answer in (None, 7, "text", [], {"error": "down"}, {"keys": None}, {"keys": "x"}, {"keys": {"a": 1}}):
        before = good.fetched
        await asyncio.sleep(0.1)
        assert good.fetched > before
    assert not fresh.done()
    fresh.cancel()


@pytest.mark.parametrize("answer", [{"error": "down"}, {"keys": None}, {"keys": "x"}, {}], ids=str)
async def test_an_error_in_the_place_of_keys_withdraws_none(caller: Caller, sso: Sso, answer: Any) -> None:
    token = sso.token()
    assert (await caller.ask(token)).status_code == 200
    sso.answer = answer
    await caller.keys.refresh()

    assert caller.keys.is_away
    assert await caller.statuses([token, sso.token(sub="another")]) == [200, 200]


async def test_an_answer_that_was_overtaken_takes_nothing_back(caller_of: CallerOf) -> None:
    sso, slow = Sso(), asyncio.Event()

    async def jwks() -> Mapping[str, Any]:
        given = await sso.jwks()
        if sso.fetched == 2:
            await slow.wait()
        return given

    caller = caller_of(sso.issuer(keys=jwks))
    assert (await caller.ask(sso.token())).status_code == 200
    older = asyncio.create_task(caller.keys.refresh())
    await asyncio.sleep(0)
    sso.keys.insert(0, rsa("b"))
    caller.keys.next_fetch = 0  # the interval is over
    assert (await caller.ask(sso.token())).status_code == 200
    slow.set()
    await older

    assert (await caller.ask(sso.token(sub="another"))).status_code == 200


async def test_one_token_is_remembered_once_however_it_is_brought(caller: Caller, sso: Sso) -> None:
    token = sso.token()
    for scheme in ("Bearer ", "bEaReR ", "Bearer  ", "BEARER     "):
        answer = await client_of(caller.app).get("/things/who", headers={"Authorization": scheme + token})
        assert answer.status_code == 200

    assert len(caller.app.pipeline.identity.cached) == 1
