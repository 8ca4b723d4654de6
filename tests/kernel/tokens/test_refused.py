"""What is no access token of ours is 401, whatever it looks like (threats T1, T2, T3, T5, T6, T13)."""

from __future__ import annotations

import hmac
import json
import logging
import warnings
from base64 import urlsafe_b64encode
from time import time
from typing import Any

import pytest
from joserfc import jwe, jwt
from joserfc.jwk import OctKey, RSAKey

from ..conftest import client_of
from .issuing import Caller, CallerOf, Sso, published, rsa, segment


def short() -> RSAKey:
    with warnings.catch_warnings(action="ignore"):
        return RSAKey.generate_key(1024, parameters={"kid": "short"})


async def refused(caller: Caller, token: str | bytes) -> None:
    answer = await caller.ask(token)
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.json()["type"] == "urn:vinc:problem:unauthorized"
    assert answer.json()["detail"] == "These credentials are not valid."
    assert (await caller.ask(token, "/things/open")).status_code == 401


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
async def test_these_types_in_the_header_are_taken(caller: Caller, sso: Sso, typ: str | None) -> None:
    assert (await caller.ask(sso.token(header={"typ": typ}))).status_code == 200


@pytest.mark.parametrize("spelling", ["none", "None", "NONE", "nOnE"])
async def test_no_algorithm_is_no_algorithm(caller: Caller, sso: Sso, spelling: str) -> None:
    header, payload, signature = sso.token().split(".")
    unsigned = segment(json.dumps({"alg": spelling, "typ": "JWT", "kid": "a"}).encode())

    await refused(caller, f"{unsigned}.{payload}.")
    await refused(caller, f"{unsigned}.{payload}.{signature}")
    await refused(caller, f"{header}.{payload}.")


async def test_the_public_key_is_no_shared_secret(caller: Caller, sso: Sso) -> None:
    header = segment(b'{"alg": "HS256", "typ": "JWT", "kid": "a"}')
    text = f"{header}.{segment(json.dumps(sso.claims()).encode())}"
    for secret in (sso.keys[0].as_pem(private=False), json.dumps(published(sso.keys[0])).encode()):
        await refused(caller, f"{text}.{segment(hmac.digest(secret, text.encode(), 'sha256'))}")


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": {"kty": "RSA"}},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/x5u"},
        {"x5c": ["MII"]},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"kid": None},
        {"kid": 7},
        {"kid": ["a"]},
        {"kid": "../a"},
        {"kid": "a\0"},
        {"alg": None},
        {"alg": ["RS256"]},
        {"alg": "RS512"},
        {"alg": "PS256"},
        {"alg": "rs256"},
        {"typ": "JOSE"},
        {"typ": "logout+jwt"},
        {"typ": 7},
    ],
    ids=str,
)
async def test_the_header_chooses_nothing(caller: Caller, sso: Sso, header: dict[str, Any]) -> None:
    await refused(caller, sso.token(header=header))


async def test_a_key_that_the_token_brings_is_not_taken(caller: Caller, sso: Sso) -> None:
    mine = rsa("a")

    await refused(caller, sso.token(key=mine))
    await refused(caller, sso.token(key=mine, header={"jwk": published(mine)}))


async def test_the_text_is_exactly_three_parts_of_base64url(caller: Caller, sso: Sso) -> None:
    token = sso.token()
    header, payload, signature = token.split(".")
    for other in (
        f"{token}.", f".{token}", f"{token}.x", f"{header}.{payload}", f"{header}..{signature}", "a.b.c", "..", "...",
        f"{token}=", f"{token}==", f"{header}=.{payload}.{signature}", f"{header}.{payload}==.{signature}",
        f"{header}.{payload}.{signature}A", f"{header}.{payload}.{signature[:-1]}", token.swapcase(), token + "\xe9",
    ):  # fmt: skip
        await refused(caller, other.encode("latin-1"))


async def test_a_signature_has_one_spelling(caller: Caller, sso: Sso) -> None:
    token = sso.token()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters.index(token[-1])
    for bits in range(1, 16):  # 2,048 bits fill 341 characters and a third of one
        await refused(caller, token[:-1] + letters[last ^ bits])


async def test_what_is_encrypted_is_not_taken(caller: Caller, sso: Sso) -> None:
    sealed = jwe.encrypt_compact(
        {"alg": "RSA-OAEP", "enc": "A256GCM", "kid": "a"}, json.dumps(sso.claims()).encode(), sso.keys[0]
    )

    await refused(caller, sealed)


async def test_8_kb_are_enough(caller: Caller, sso: Sso) -> None:
    await refused(caller, sso.token(extra="a" * 8192))
    await refused(caller, sso.token(extra="a" * 5_000_000))
    assert (await caller.ask(sso.token(extra="a" * 4000))).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"typ": "ID"}, {"typ": "Refresh"}, {"typ": "Offline"}, {"typ": None}, {"typ": "bearer"}, {"typ": ["Bearer"]},
        {"aud": None}, {"aud": "account"}, {"aud": "vinc"}, {"aud": ["account", "vinc-web"]}, {"aud": []},
        {"aud": "vinc-api-2"}, {"aud": {"vinc-api": 1}}, {"aud": 7}, {"aud": "vinc-api another"},
        {"iss": None}, {"iss": "https://sso.example/realms/vinc/"}, {"iss": "https://sso.example/realms/vin"},
        {"iss": "https://sso.example/realms/vinc2"}, {"iss": "HTTPS://sso.example/realms/vinc"}, {"iss": 7},
        {"iss": "https://evil.example/realms/vinc"}, {"iss": ["https://sso.example/realms/vinc"]},
        {"exp": None}, {"exp": "soon"}, {"exp": str(2**40)}, {"exp": True}, {"exp": -1}, {"exp": 1e300}, {"exp": []},
        {"exp": 0}, {"iat": None}, {"iat": "1"},
        {"nbf": "1"},
        {"sub": None}, {"sub": ""}, {"sub": "a" * 256}, {"sub": 7}, {"sub": ["a"]}, {"sub": "a\0b"}, {"sub": "a\nb"},
        {"sub": "a\u2028b"}, {"sub": "\u202e"},
        {"azp": 7}, {"azp": ["vinc-web"]}, {"email": 7}, {"email": "a" * 321}, {"email": "a\0"},
        {"email": "a\x1b[2J"}, {"azp": "a\nb"},
        {"role": 7}, {"role": {"a": 1}}, {"role": [["root"]]}, {"realm_access": []}, {"realm_access": {"roles": 7}},
        {"allowed_wholesalers": 7}, {"allowed_wholesalers": [["acme"]]}, {"allowed_wholesalers": ["acme,globex"]},
        {"allowed_wholesalers": [1]}, {"allowed_wholesalers": ["a b"]}, {"allowed_wholesalers": ["*"]},
        {"allowed_wholesalers": {"acme": 1}}, {"allowed_wholesalers": ["a"] * 1001},
    ],
    ids=str,
)  # fmt: skip
async def test_claims_of_another_kind_or_form_are_not_believed(
    caller: Caller, sso: Sso, claims: dict[str, Any]
) -> None:
    await refused(caller, sso.token(**claims))


@pytest.mark.parametrize(("claim", "fits", "differs"), [("exp", -20, -31), ("iat", 20, 300), ("nbf", 20, 300)])
async def test_clocks_may_differ_by_30_seconds_and_no_more(
    caller: Caller, sso: Sso, claim: str, fits: int, differs: int
) -> None:
    assert (await caller.ask(sso.token(**{claim: int(time()) + fits}))).status_code == 200
    await refused(caller, sso.token(**{claim: int(time()) + differs}))


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"null", b"[]", b'"a"', b"{", b"{}", b"\xff", b"[" * 4000,
        '{"iss": "https://sso.example/realms/vinc"}'.encode("utf-16"),
        '{"iss": "https://sso.example/realms/vinc"}'.encode("utf-8-sig"),
    ],
)  # fmt: skip
async def test_a_payload_that_is_no_object_is_not_believed(caller: Caller, sso: Sso, payload: bytes) -> None:
    await refused(caller, sso.signed(payload))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"typ": "Bearer"', b'"typ": "ID", "typ": "Bearer"'),
        (b'"sub": ', b'"sub": "root", "sub": '),
        (b'"azp": "vinc-web"', rb'"azp": "vinc-web", "role": "\ud800"'),
        (b'"azp": "vinc-web"', b'"azp": "vinc-web", "x": NaN'),
        (b'"azp": "vinc-web"', b'"azp": "vinc-web", "x": 1e400'),
        (b'"azp": "vinc-web"', b'"azp": "vinc-web", "x": {"a": {"b": {"c": {"d": {"e": 1}}}}}'),
        (b'"azp": "vinc-web"', b'"azp": "vinc-\xff"'),
        (b'"azp": "vinc-web"', b'"azp": "vinc-web", /**/ "x": 1'),
    ],
)
async def test_signed_and_poisonous(caller: Caller, sso: Sso, old: bytes, new: bytes) -> None:
    payload = json.dumps(sso.claims()).encode()
    assert old in payload

    await refused(caller, sso.signed(payload.replace(old, new)))


async def test_keys_that_may_not_sign_are_passed_over(caller: Caller, sso: Sso) -> None:
    enc, ops, other, small = rsa("enc"), rsa("ops"), rsa("other"), short()
    sso.more = [
        published(enc, use="enc", alg="RSA-OAEP"),
        published(ops, key_ops=["sign"]),
        published(other, alg="RS512"),
        published(small),
        {"kty": "oct", "kid": "oct", "k": urlsafe_b64encode(b"s" * 32).decode(), "use": "sig"},
        {"kty": "RSA", "kid": "half", "n": "AQAB", "use": "sig"},
        {"kid": "nothing"}, "text", None,
    ]  # fmt: skip
    for key in (enc, ops, other, small):
        await refused(caller, sso.token(key=key))
    await refused(caller, jwt.encode({"alg": "HS256", "kid": "oct"}, sso.claims(), OctKey.import_key(b"s" * 32)))
    assert (await caller.ask(sso.token())).status_code == 200


async def test_two_issuers_do_not_sign_for_each_other(caller_of: CallerOf) -> None:
    one, two = Sso(), Sso(url="https://other.example", keys=[rsa("a")])
    caller = caller_of(one.issuer(), two.issuer(audience="elsewhere"))

    await refused(caller, one.token(iss=two.url, aud="elsewhere"))
    await refused(caller, two.token(iss=one.url))
    await refused(caller, two.token())
    mine, theirs = await caller.ask(one.token()), await caller.ask(two.token(aud="elsewhere"))
    assert mine.json()["subject"] == theirs.json()["subject"]
    assert (mine.json()["issuer"], theirs.json()["issuer"]) == (one.url, two.url)


async def test_clients_may_be_named(caller_of: CallerOf, sso: Sso) -> None:
    caller = caller_of(sso.issuer(clients=frozenset({"vinc-web"})))

    assert (await caller.ask(sso.token())).status_code == 200
    await refused(caller, sso.token(azp="another"))
    await refused(caller, sso.token(azp=None))


@pytest.mark.parametrize(
    "claims",
    [
        {"azp": "robot", "preferred_username": "service-account-robot"},
        {"azp": "robot", "sub": "robot", "client_id": "robot"},
        {"azp": "Evil Client/x", "preferred_username": "service-account-evil client/x"},
        {"azp": "robot", "client_id": "robot"},
        {"azp": "robot", "preferred_username": "SERVICE-ACCOUNT-robot", "sid": "s"},
        {"client_id": 7},
    ],
)
async def test_a_machine_that_nobody_has_registered_is_not_believed(
    caller: Caller, sso: Sso, claims: dict[str, Any]
) -> None:
    await refused(caller, sso.token(**claims))


async def test_why_is_in_the_log_and_nothing_of_the_token(
    caller: Caller, sso: Sso, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "vinc.identity")
    token = sso.token(aud="canary-audience", sub="canary-subject")
    await refused(caller, token)

    assert "credentials are refused: aud does not name our audience" in caplog.text
    assert "canary" not in caplog.text
    assert token not in caplog.text


@pytest.mark.parametrize("given", ["Bearer", "bearer", "Bearer  ", "Bearer a,b", "Bearer a b", "Bearer \xe9"])
async def test_what_is_not_written_as_a_token_is_401(caller: Caller, given: str) -> None:
    answer = await client_of(caller.app).get("/things/open", headers={"Authorization": given.encode("latin-1")})

    assert answer.status_code == 401


@pytest.mark.parametrize("given", ["Basic YTpi", "Token x", "Bearers x", "", "DPoP x"])
async def test_by_another_scheme_nobody_is_signed_in(caller: Caller, given: str) -> None:
    api, headers = client_of(caller.app), {"Authorization": given}
    guarded, public = await api.get("/things/who", headers=headers), await api.get("/things/open", headers=headers)

    assert (guarded.status_code, guarded.headers["www-authenticate"], public.status_code) == (401, "Bearer", 200)


async def test_no_credentials_are_asked_for_in_one_word(caller: Caller) -> None:
    answer = await client_of(caller.app).get("/things/who")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
