"""Tokens of real logins: which are believed, and which are not (threats, T2, T3, T13)."""

from collections.abc import Generator
from contextlib import contextmanager

import httpx
import pytest

from vinc_testing import Clock, Database

from .browser import REDIRECT, NotSignedIn, Tokens
from .conftest import Signed, put_back
from .realm import Realm, claims

LEEWAY = 30  # what two clocks may differ by


@pytest.fixture
def admin_of_acme(realm: Realm, email: str, vinc_database: Database) -> Tokens:
    """The tokens of somebody who has signed in."""
    vinc_database.add_tenant("acme")
    realm.person(email, role=["wholesale_admin"], allowed_wholesalers=["acme"])
    return realm.sign_in(email)


async def status(client: httpx.AsyncClient) -> int:
    return (await client.get("/tenants")).status_code


async def test_the_access_token_of_a_login_is_believed(with_token: Signed, admin_of_acme: Tokens) -> None:
    answer = await with_token(admin_of_acme["access_token"]).get("/tenants")

    assert answer.status_code == 200, answer.text
    assert [one["slug"] for one in answer.json()["items"]] == ["acme"]


@pytest.mark.parametrize("name", ["id_token", "refresh_token"])
async def test_no_other_token_of_that_login_is(with_token: Signed, admin_of_acme: Tokens, name: str) -> None:
    answer = await with_token(admin_of_acme[name]).get("/tenants")

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@contextmanager
def another_client(realm: Realm, **more: object) -> Generator[str]:
    name = "another-application"
    made = {"clientId": name, "redirectUris": [REDIRECT], "publicClient": True, "standardFlowEnabled": True, **more}
    key = realm.admin("POST", "/clients", made)
    try:
        yield name
    finally:
        realm.admin("DELETE", f"/clients/{key}")


async def test_a_login_at_another_application_is_not_believed(with_token: Signed, realm: Realm, email: str) -> None:
    realm.person(email, role=["super_admin"])
    with another_client(realm) as name:
        tokens = realm.sign_in(email, client=name)

    assert claims(tokens["access_token"])["typ"] == "Bearer"
    assert await status(with_token(tokens["access_token"])) == 401


async def test_neither_is_another_machine(with_token: Signed, realm: Realm) -> None:
    with another_client(realm, publicClient=False, serviceAccountsEnabled=True, secret="s3cret") as name:
        given = realm.grant(grant_type="client_credentials", client_id=name, client_secret="s3cret").json()

    assert await status(with_token(given["access_token"])) == 401


def test_a_token_says_what_the_attributes_and_roles_say(realm: Realm, email: str) -> None:
    said = {"allowed_wholesalers": ["acme", "globex"], "allowed_customers": ["c1"], "multi_tenant": ["true"]}
    subject = realm.person(email, role=["agent"], vinc_generation=["7"], allowed_addresses=["a,b"], **said)
    roles = [realm.admin("GET", f"/roles/{name}") for name in ("agent", "offline_access")]
    realm.admin("POST", f"/users/{subject}/role-mappings/realm", roles)
    tokens = realm.sign_in(email)
    told = claims(tokens["access_token"])

    assert {name: told[name] for name in ("sub", "email", "role", "vinc_generation", *said)} == {
        **said,
        "sub": subject,
        "email": email,
        "role": "agent",
        "vinc_generation": 7,
        "multi_tenant": "true",
    }
    assert (told["aud"], told["azp"], told["typ"]) == ("vinc-api", "vinc-web", "Bearer")
    assert told["allowed_addresses"] == ["a,b"]
    assert told["realm_access"]["roles"] == ["agent"]
    assert not {"role", "allowed_wholesalers", "vinc_generation"} & claims(tokens["id_token"]).keys()


def test_an_attribute_that_is_not_there_is_no_claim(realm: Realm, email: str) -> None:
    realm.person(email)
    told = claims(realm.sign_in(email)["access_token"])

    assert not {"role", "allowed_wholesalers", "multi_tenant", "vinc_generation"} & told.keys()


async def test_a_token_without_a_subject_is_refused(with_token: Signed, realm: Realm, email: str) -> None:
    realm.person(email, role=["viewer"])
    key = realm.client("vinc-web")
    (basic,) = (one for one in realm.admin("GET", "/client-scopes") if one["name"] == "basic")
    path = f"/clients/{key}/default-client-scopes/{basic['id']}"
    realm.admin("DELETE", path)
    try:
        token = realm.sign_in(email)["access_token"]
    finally:
        realm.admin("PUT", path)

    assert "sub" not in claims(token)
    assert await status(with_token(token)) == 401


async def test_a_token_is_believed_until_it_has_expired(
    with_token: Signed, realm: Realm, email: str, vinc_clock: Clock
) -> None:
    realm.person(email, role=["viewer"])
    async with put_back(realm, ""):
        realm.admin("PUT", "", {"accessTokenLifespan": 1})
        token = realm.sign_in(email)["access_token"]
    client = with_token(token)
    vinc_clock.advance(seconds=claims(token)["exp"] + 1 - vinc_clock())
    answers = [await status(client)]
    vinc_clock.advance(seconds=LEEWAY)
    answers.append(await status(client))

    assert answers == [200, 401]


def test_the_client_takes_no_password_and_no_code_without_a_proof(realm: Realm, email: str) -> None:
    realm.person(email)
    password = realm.grant(grant_type="password", client_id="vinc-web", username=email, password="x")
    asked = {"client_id": "vinc-web", "response_type": "code", "redirect_uri": REDIRECT, "scope": "openid"}
    unproved = realm.http.get(f"{realm.url}/protocol/openid-connect/auth", params=asked)
    elsewhere = realm.http.get(
        f"{realm.url}/protocol/openid-connect/auth", params={**asked, "redirect_uri": f"{REDIRECT}/more"}
    )

    assert (password.status_code, password.json()["error"]) == (400, "unauthorized_client")
    assert "code_challenge_method" in unproved.headers["location"]
    assert elsewhere.status_code == 400


def test_twenty_wrong_passwords_lock_an_account(realm: Realm, email: str) -> None:
    realm.person(email)
    for _ in range(20):
        with pytest.raises(NotSignedIn):
            realm.sign_in(email, "wrong")

    with pytest.raises(NotSignedIn):
        realm.sign_in(email)
