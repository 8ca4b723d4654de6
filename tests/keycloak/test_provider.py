"""The contract of identity providers, kept by a real Keycloak."""

import re

import httpx
import pytest

from vinc_identity.contracts import (
    Profile,
    ProviderUnavailable,
    ProviderUser,
    UserExists,
    UserMissing,
)
from vinc_keycloak.service.connection import admin
from vinc_keycloak.service.provider import KeycloakProvider

from .browser import REDIRECT, Browser, NotSignedIn
from .conftest import AUDIENCE, put_back, settings_of
from .mails import Mails, link_in
from .realm import PASSWORD, Realm, claims

NOBODY = "00000000-0000-4000-8000-000000000000"
next_page = re.compile(r'<a [^>]*href="([^"]+)"[^>]*>[^<]*(?:proceed|here)', re.IGNORECASE).search


def profile(email: str, **more: object) -> Profile:
    given = {"name": "Ada King Lovelace", "role": "agent", "tenants": ("acme", "globex"), "customers": ("c1",)}
    return Profile(email=email, **{**given, **more})


async def test_a_user_is_made_and_found_with_what_becomes_claims(provider: KeycloakProvider, email: str) -> None:
    made = await provider.create(profile(email))
    found = await provider.find(email.upper())

    assert found == ProviderUser(subject=made.subject, profile=profile(email))
    assert await provider.find(email[1:]) is None
    assert await provider.find(f"*{email[1:]}") is None
    with pytest.raises(UserExists):
        await provider.create(profile(email))


async def test_a_user_without_a_password_cannot_sign_in_and_with_one_can(
    provider: KeycloakProvider, realm: Realm, email: str
) -> None:
    made = await provider.create(profile(email, name="Ada"))
    with pytest.raises(NotSignedIn):
        realm.sign_in(email, "")
    await provider.set_password(made.subject, PASSWORD)
    told = claims(realm.sign_in(email)["access_token"])

    assert (told["sub"], told["role"], told["multi_tenant"]) == (made.subject, "agent", "true")
    assert (told["allowed_wholesalers"], told["allowed_customers"]) == (["acme", "globex"], ["c1"])
    assert "allowed_addresses" not in told


async def test_a_temporary_password_must_be_changed(provider: KeycloakProvider, realm: Realm, email: str) -> None:
    made = await provider.create(profile(email))
    await provider.set_password(made.subject, PASSWORD, temporary=True)

    with pytest.raises(NotSignedIn, match="Update password"):
        realm.sign_in(email)


async def test_an_update_keeps_what_it_does_not_know(provider: KeycloakProvider, realm: Realm, email: str) -> None:
    made = await provider.create(profile(email))
    path = f"/users/{made.subject}"
    await provider.set_password(made.subject, PASSWORD)
    await provider.end_sessions(made.subject, 4)
    realm.admin("PUT", path, {**realm.admin("GET", path), "requiredActions": ["TERMS_AND_CONDITIONS"]})
    await provider.update(made.subject, profile(f"new-{email}", role="", tenants=["acme"], addresses=["a1"]))
    found = realm.admin("GET", path)

    assert found["attributes"] == {
        "vinc_generation": ["4"],
        "allowed_wholesalers": ["acme"],
        "allowed_customers": ["c1"],
        "allowed_addresses": ["a1"],
    }
    assert (found["requiredActions"], found["username"]) == (["TERMS_AND_CONDITIONS"], f"new-{email}")
    assert (await provider.create(profile(email))).subject != made.subject


async def test_a_realm_without_bootstrap_is_noticed(absent_realm: Realm, email: str) -> None:
    absent_realm.create()
    async with admin(settings_of(absent_realm)) as line:
        with pytest.raises(ProviderUnavailable, match="run `vinc keycloak bootstrap`"):
            await KeycloakProvider(line, AUDIENCE).create(profile(email))


async def test_disabling_is_undone_and_done_twice_without_harm(
    provider: KeycloakProvider, realm: Realm, email: str
) -> None:
    subject = realm.person(email, role=["viewer"])
    for _ in range(2):
        await provider.disable(subject)
    found = await provider.find(email)
    with pytest.raises(NotSignedIn):
        realm.sign_in(email)
    await provider.disable(subject, disabled=False)

    assert found
    assert (found.enabled, found.profile.role) == (False, "viewer")
    assert realm.sign_in(email)


async def test_an_invitation_is_a_mail_that_leads_to_a_password(
    provider: KeycloakProvider, realm: Realm, email: str, box: Mails
) -> None:
    made = await provider.create(profile(email))
    link = await provider.invite(made.subject)
    follow(realm.http, link_in(box.to(email)), "a-new-passw0rd")

    assert link is None
    assert claims(realm.sign_in(email, "a-new-passw0rd")["access_token"])["sub"] == made.subject
    assert realm.admin("GET", f"/users/{made.subject}")["emailVerified"]


def follow(http: httpx.Client, link: str, password: str) -> None:
    """Follow the link of a mail, and choose a password."""
    browser = Browser(http)
    page = browser.follow(browser.send("GET", link))
    found = next_page(page.text)
    assert found, page.text
    page = browser.follow(browser.send("GET", found[1].replace("&amp;", "&")))
    browser.submit(page, **{"password-new": password, "password-confirm": password})


async def test_an_invitation_that_cannot_be_sent_says_where_to_look(realm: Realm, email: str) -> None:
    subject = realm.person(email)
    async with put_back(realm, ""), admin(settings_of(realm)) as line:
        realm.admin("PUT", "", {"smtpServer": {**realm.admin("GET", "")["smtpServer"], "port": "1"}})
        with pytest.raises(ProviderUnavailable, match="could not send the mail: set VINC_KEYCLOAK__SMTP_HOST"):
            await KeycloakProvider(line, AUDIENCE).invite(subject)


async def test_ended_sessions_stay_ended_and_the_number_only_rises(
    provider: KeycloakProvider, realm: Realm, email: str
) -> None:
    subject = realm.person(email, role=["viewer"])
    tokens = realm.sign_in(email)
    await provider.end_sessions(subject, 5)
    again = realm.sign_in(email)
    await provider.end_sessions(subject, 3)
    lower = realm.sign_in(email)

    assert [realm.refresh(one).status_code for one in (tokens, again, lower)] == [400, 400, 200]
    assert [claims(one["access_token"]).get("vinc_generation") for one in (tokens, again, lower)] == [None, 5, 5]


async def test_a_session_without_end_cannot_be_had(realm: Realm, email: str) -> None:
    realm.person(email)
    asked = {"client_id": "vinc-web", "response_type": "code", "scope": "openid offline_access"}
    answer = realm.http.get(f"{realm.url}/protocol/openid-connect/auth", params={**asked, "redirect_uri": REDIRECT})

    assert "invalid_scope" in answer.headers["location"]


async def test_a_service_account_has_our_audience_its_claims_and_no_other_flow(
    provider: KeycloakProvider, realm: Realm, email: str
) -> None:
    name = email.partition("@")[0]
    made = await provider.create_service(name, profile(f"{name}@services.example", tenants=("acme",)))
    asked = {"client_id": made.client_id, "client_secret": made.secret}
    token = realm.grant(grant_type="client_credentials", **asked).json()["access_token"]
    told = claims(token)

    assert (told["sub"], told["aud"], told["typ"]) == (made.subject, AUDIENCE, "Bearer")
    assert told["preferred_username"] == f"service-account-{told['azp']}"
    assert (told["role"], told["allowed_wholesalers"]) == ("agent", ["acme"])
    assert made.secret not in repr(made)
    password = realm.grant(grant_type="password", username="x", password="x", **asked)
    assert password.json()["error"] == "unauthorized_client"
    with pytest.raises(UserExists):
        await provider.create_service(name, profile(""))


async def test_a_service_account_is_disabled_and_its_number_rises(
    provider: KeycloakProvider, realm: Realm, email: str
) -> None:
    made = await provider.create_service(email.partition("@")[0], profile("", role="viewer"))
    asked = {"grant_type": "client_credentials", "client_id": made.client_id, "client_secret": made.secret}
    await provider.end_sessions(made.subject, 2)
    raised = claims(realm.grant(**asked).json()["access_token"])
    await provider.disable(made.subject)
    refused = realm.grant(**asked)
    await provider.disable(made.subject, disabled=False)

    assert (raised["vinc_generation"], raised["role"]) == (2, "viewer")
    assert refused.status_code in {400, 401}, refused.text
    assert realm.grant(**asked).status_code == 200


async def test_a_service_account_gets_another_secret_and_is_deleted(
    provider: KeycloakProvider, realm: Realm, email: str
) -> None:
    name = email.partition("@")[0]
    made = await provider.create_service(name, profile("", role="viewer"))
    again = await provider.new_service_secret(made.subject)
    asked = {"grant_type": "client_credentials", "client_id": made.client_id}
    statuses = [realm.grant(**asked, client_secret=one.secret).status_code for one in (made, again)]
    found = await provider.find_service(name)
    await provider.delete_service(made.subject)

    assert (again.subject, again.client_id, found) == (made.subject, made.client_id, made.subject)
    assert statuses == [401, 200]
    assert realm.grant(**asked, client_secret=again.secret).status_code == 401
    assert await provider.find_service(name) is None
    with pytest.raises(UserMissing):
        await provider.delete_service(made.subject)
    assert (await provider.create_service(name, profile(""))).subject != made.subject


async def test_a_client_of_somebody_else_is_no_service_account(
    provider: KeycloakProvider, realm: Realm, email: str
) -> None:
    name = email.partition("@")[0]
    made = {"clientId": f"service-{name}", "publicClient": False, "serviceAccountsEnabled": True}
    key = realm.admin("POST", "/clients", made)
    user = realm.admin("GET", f"/clients/{key}/service-account-user")
    try:
        with pytest.raises(UserExists, match="choose another name"):
            await provider.create_service(name, profile(""))
        with pytest.raises(UserMissing):
            await provider.delete_service(user["id"])

        assert await provider.find_service(name) is None
    finally:
        realm.admin("DELETE", f"/clients/{key}")


async def test_a_person_is_no_service_account(provider: KeycloakProvider, realm: Realm, email: str) -> None:
    made = await provider.create(profile(email))
    with pytest.raises(UserMissing):
        await provider.new_service_secret(made.subject)
    with pytest.raises(UserMissing):
        await provider.delete_service(made.subject)

    assert await provider.find(email) is not None


@pytest.mark.parametrize("subject", [NOBODY, "../clients", "a/b", "", "x?y"])
async def test_a_user_that_is_not_there_is_missing(provider: KeycloakProvider, subject: str) -> None:
    for call in (
        provider.update(subject, profile("x@acme.example")),
        provider.disable(subject),
        provider.set_password(subject, PASSWORD),
        provider.invite(subject),
        provider.end_sessions(subject, 1),
        provider.new_service_secret(subject),
        provider.delete_service(subject),
    ):
        with pytest.raises(UserMissing):
            await call


async def test_an_admin_whose_session_has_ended_signs_in_anew(provider: KeycloakProvider, realm: Realm) -> None:
    await provider.find("nobody@acme.example")
    master = Realm(realm.keycloak, "master", 0, realm.http)
    (user,) = master.admin("GET", f"/users?exact=true&username={realm.keycloak.username}")
    master.admin("POST", f"/users/{user['id']}/logout")
    realm.until = 0  # ours has ended with it

    assert await provider.find("nobody@acme.example") is None
