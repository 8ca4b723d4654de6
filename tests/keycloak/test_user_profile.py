"""A user cannot edit what becomes claims (threats, T11), nor take another's address (T12)."""

from typing import Any

import pytest

from .realm import Realm, bearer, claims


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("role", "super_admin"),
        ("allowed_wholesalers", "globex"),
        ("allowed_customers", "c2"),
        ("allowed_addresses", "a2"),
        ("multi_tenant", "true"),
        ("vinc_generation", "99"),
    ],
)
def test_a_user_cannot_give_themselves_a_claim(realm: Realm, email: str, attribute: str, value: str) -> None:
    realm.person(email, role=["viewer"], allowed_wholesalers=["acme"], vinc_generation=["3"])
    tokens = realm.sign_in(email)
    account, headers, body = own_account(realm, email)
    body["attributes"] = {**body.get("attributes", {}), attribute: [value]}
    answer = realm.http.post(account, json=body, headers=headers)
    told = claims(realm.refresh(tokens).json()["access_token"])

    assert answer.status_code in {400, 403}, answer.text
    assert (told["role"], told["allowed_wholesalers"], told["vinc_generation"]) == ("viewer", ["acme"], 3)
    assert not {"allowed_customers", "allowed_addresses", "multi_tenant"} & told.keys()


def own_account(realm: Realm, email: str) -> tuple[str, dict[str, str], dict[str, Any]]:
    """The address of the account interface, headers for it as Keycloak's own page sends, and what it has of them."""
    account = f"{realm.url}/account/"
    token = realm.sign_in(email, client="account-console", redirect=account)["access_token"]
    headers = {**bearer(token), "Accept": "application/json"}
    own = realm.http.get(account, headers=headers)
    assert own.status_code == 200, own.text
    return account, headers, own.json()


def test_a_user_cannot_take_anothers_address(realm: Realm, email: str) -> None:
    subject = realm.person(email)
    account, headers, body = own_account(realm, email)
    answer = realm.http.post(account, json={**body, "email": "boss@acme.example"}, headers=headers)
    named = realm.http.post(account, json={**body, "firstName": "Ada"}, headers=headers)
    found = realm.admin("GET", f"/users/{subject}")

    assert answer.status_code in {204, 400}, answer.text  # Keycloak passes over it without a word
    assert named.status_code == 204, named.text
    assert (found["email"], found["firstName"]) == (email, "Ada")
