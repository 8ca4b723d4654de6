"""The token endpoint: what each grant gives, and what opens what."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from httpx import AsyncClient
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from vinc_devissuer.service import grants
from vinc_identity.contracts import IdentityProvider, Profile, ProviderUser
from vinc_testing import VincApp

from .conftest import ALICE, PASSWORD, ask, bearer, me, sign_in

ISSUER = "http://localhost/api/v1/devissuer"


async def claims_of(client: AsyncClient, token: str) -> dict[str, object]:
    """What a token says, verified as a stranger would, by the published keys."""
    keys = KeySet.import_key_set((await client.get("/devissuer/jwks")).json())
    return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


async def test_a_password_gives_an_access_token_that_opens_the_tenant(client: AsyncClient, alice: ProviderUser) -> None:
    answer = await sign_in(client, email=" ALICE@acme.example")
    given = answer.json()

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (given["token_type"], given["expires_in"], given["scope"]) == ("Bearer", 300, "")
    assert "id_token" not in given
    assert await me(client, given["access_token"]) == 200


async def test_the_claims_are_those_of_the_account(client: AsyncClient, alice: ProviderUser) -> None:
    token = (await sign_in(client, scope="profile unknown email")).json()["access_token"]
    claims = await claims_of(client, token)
    header = jws.extract_compact(token.encode()).headers()

    assert (header["typ"], header["alg"]) == ("JWT", "RS256")
    assert (claims.pop("iss"), claims.pop("aud"), claims.pop("sub")) == (ISSUER, ["vinc-api"], alice.subject)
    assert claims.pop("exp") - claims.pop("iat") == 300  # type: ignore[operator]  both are numbers
    assert len(str(claims.pop("jti"))) == len(str(claims.pop("sid"))) == 36
    assert claims == {
        "typ": "Bearer",
        "azp": "vinc-docs",
        "scope": "profile email",
        "email": ALICE,
        "email_verified": True,
        "name": "Alice",
        "preferred_username": ALICE,
        "role": "viewer",
        "allowed_wholesalers": ["acme"],
        "vinc_generation": 0,
    }


async def test_somebody_with_several_tenants_says_so(client: AsyncClient, users: IdentityProvider) -> None:
    both = Profile(email=ALICE, tenants=["acme", "globex"], customers=["c1"], addresses=["a1", "a,2"])
    await users.set_password((await users.create(both)).subject, PASSWORD)
    claims = await claims_of(client, (await sign_in(client)).json()["access_token"])

    assert (claims["multi_tenant"], claims["allowed_wholesalers"]) == ("true", ["acme", "globex"])
    assert (claims["allowed_customers"], claims["allowed_addresses"]) == (["c1"], ["a1", "a,2"])


async def test_neither_an_id_token_nor_a_refresh_token_is_an_access_token(
    client: AsyncClient, alice: ProviderUser
) -> None:
    given = (await sign_in(client, scope="openid")).json()
    claims = await claims_of(client, given["id_token"])

    assert (claims["typ"], claims["aud"], claims["sub"]) == ("ID", "vinc-docs", alice.subject)
    assert [await me(client, given[name]) for name in ("access_token", "id_token", "refresh_token")] == [200, 401, 401]


async def test_a_refresh_token_gives_new_tokens_of_the_same_session(client: AsyncClient, alice: ProviderUser) -> None:
    first = (await sign_in(client, scope="openid")).json()
    second = (await ask(client, "refresh_token", refresh_token=first["refresh_token"])).json()
    third = (await ask(client, "refresh_token", refresh_token=second["refresh_token"])).json()
    claims = [await claims_of(client, one["access_token"]) for one in (first, second, third)]

    assert await me(client, third["access_token"]) == 200
    assert len({one["sid"] for one in claims}) == 1
    assert len({one["jti"] for one in claims}) == 3
    assert third["scope"] == "openid"


async def test_a_refresh_token_that_is_used_twice_ends_the_session(client: AsyncClient, alice: ProviderUser) -> None:
    stolen = (await sign_in(client)).json()["refresh_token"]
    other = (await sign_in(client)).json()["refresh_token"]
    following = (await ask(client, "refresh_token", refresh_token=stolen)).json()["refresh_token"]
    again = await ask(client, "refresh_token", refresh_token=stolen)
    after = await ask(client, "refresh_token", refresh_token=following)

    assert [one.status_code for one in (again, after)] == [400, 400]
    assert again.json() == after.json() == {"error": "invalid_grant", "error_description": "Session not active"}
    assert (await ask(client, "refresh_token", refresh_token=other)).status_code == 200


async def test_of_two_that_use_a_refresh_token_at_once_one_gets_tokens(
    client: AsyncClient, alice: ProviderUser
) -> None:
    token = (await sign_in(client)).json()["refresh_token"]
    answers = await asyncio.gather(*(ask(client, "refresh_token", refresh_token=token) for _ in range(4)))

    assert sorted(one.status_code for one in answers) == [200, 400, 400, 400]


async def test_a_session_ends_with_its_time_and_with_its_account(
    client: AsyncClient, alice: ProviderUser, users: IdentityProvider, vinc_app: VincApp
) -> None:
    late = (await sign_in(client)).json()["refresh_token"]
    vinc_app.clock.advance(hours=12)
    expired = await ask(client, "refresh_token", refresh_token=late)
    disabled = (await sign_in(client)).json()["refresh_token"]
    await users.disable(alice.subject)
    answers = [await ask(client, "refresh_token", refresh_token=disabled), await sign_in(client)]
    await users.disable(alice.subject, disabled=False)
    answers.append(await ask(client, "refresh_token", refresh_token=disabled))

    assert [one.status_code for one in (expired, *answers)] == [400] * 4
    assert (await sign_in(client)).status_code == 200


@pytest.mark.parametrize("token", ["x", "é", "A" * 64, "A" * 65, "=" * 64, "eyJhbGciOiJub25lIn0.e30."])
async def test_a_malformed_refresh_token_is_refused_like_an_old_one(client: AsyncClient, token: str) -> None:
    answer = await ask(client, "refresh_token", refresh_token=token)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_a_service_account_gets_a_token_for_its_secret(client: AsyncClient, users: IdentityProvider) -> None:
    credentials = await users.create_service("billing", Profile(email="", role="viewer", tenants=["acme"]))
    answer = await ask(client, "client_credentials", client_id="billing", client_secret=credentials.secret)
    claims = await claims_of(client, answer.json()["access_token"])

    assert (claims["sub"], claims["azp"], claims["client_id"]) == (credentials.subject, "billing", "billing")
    assert (claims["preferred_username"], claims["typ"]) == ("service-account-billing", "Bearer")
    assert not {"sid", "email"} & claims.keys()
    assert "refresh_token" not in answer.json()
    assert credentials.secret not in repr(credentials)


@pytest.mark.parametrize(("client_id", "secret"), [("billing", "wrong"), ("nobody", "wrong"), ("vinc-docs", "x")])
async def test_a_wrong_secret_and_an_unknown_client_are_one(
    client: AsyncClient, users: IdentityProvider, client_id: str, secret: str
) -> None:
    await users.create_service("billing", Profile(email=""))
    answer = await ask(client, "client_credentials", client_id=client_id, client_secret=secret)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="devissuer"'
    assert answer.json() == {
        "error": "invalid_client",
        "error_description": "Invalid client or Invalid client credentials",
    }


async def test_a_client_may_use_basic_as_swagger_ui_does(
    client: AsyncClient, users: IdentityProvider, alice: ProviderUser
) -> None:
    credentials = await users.create_service("billing", Profile(email=""))
    person = {"grant_type": "password", "username": ALICE, "password": PASSWORD}
    machine = {"grant_type": "client_credentials"}
    answers = [
        await client.post("/devissuer/token", data=form, auth=auth)
        for form, auth in (
            (person, ("vinc-docs", "")),
            (machine, ("b%69lling", credentials.secret)),
            (machine, ("billing", "wrong")),
            (person, ("billing", credentials.secret)),
            (machine | {"client_id": "billing"}, ("billing", credentials.secret)),
        )
    ]

    assert [one.status_code for one in answers] == [200, 200, 401, 401, 400]
    assert answers[-1].json()["error"] == "invalid_request"


@pytest.mark.parametrize("given", ["", "!", "YQ==", "/zp4", "YToA", "YQ==:"])
async def test_basic_credentials_that_are_none_are_refused(client: AsyncClient, given: str) -> None:
    form = {"grant_type": "client_credentials"}
    answer = await client.post("/devissuer/token", data=form, headers={"Authorization": f"Basic {given}"})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"grant_type": "password", "username": "a@b.example", "password": ""}, "invalid_request"),
        ({"grant_type": "password", "username": "a", "password": "b", "client_id": "other"}, "invalid_client"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "client_credentials", "client_id": "billing"}, "invalid_request"),
        ({"grant_type": "password", "username": "'; drop table x --", "password": "b"}, "invalid_grant"),
    ],
)
async def test_errors_are_those_of_rfc_6749(client: AsyncClient, form: dict[str, str], error: str) -> None:
    answer = await client.post("/devissuer/token", data=form)

    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["error"] == error


async def test_the_discovery_document_says_where_everything_is(client: AsyncClient) -> None:
    claims = (await client.get("/devissuer/.well-known/openid-configuration", headers={"Host": "evil.example"})).json()

    assert claims["issuer"] == ISSUER
    assert (claims["token_endpoint"], claims["jwks_uri"]) == (f"{ISSUER}/token", f"{ISSUER}/jwks")
    assert claims["grant_types_supported"] == ["password", "refresh_token", "client_credentials"]
    assert claims["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post", "none"]


async def test_the_keys_are_told_without_their_private_parts(client: AsyncClient) -> None:
    (key,) = (await client.get("/devissuer/jwks")).json()["keys"]

    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")


async def test_a_changed_role_is_in_the_next_token(
    client: AsyncClient, alice: ProviderUser, users: IdentityProvider
) -> None:
    token = (await sign_in(client)).json()["refresh_token"]
    await users.update(alice.subject, Profile(email=ALICE, name="Alice", tenants=["globex"]))
    renewed = (await ask(client, "refresh_token", refresh_token=token)).json()["access_token"]
    claims = await claims_of(client, renewed)

    assert claims["allowed_wholesalers"] == ["globex"]
    assert "role" not in claims
    assert (await client.get("/tenants", headers=bearer(renewed))).status_code == 200


async def test_a_new_password_ends_a_sign_in_that_is_under_way_with_the_old_one(
    client: AsyncClient, users: IdentityProvider, alice: ProviderUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue_tokens = grants.issue_tokens

    async def change_password_meanwhile(*args: Any) -> Any:
        response = await issue_tokens(*args)
        await users.set_password(alice.subject, "another long password")
        return response

    monkeypatch.setattr(grants, "issue_tokens", change_password_meanwhile)
    refused = await sign_in(client)

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
