"""`vinc keycloak bootstrap`, on a server that has never heard of us, and after somebody has changed something."""

from collections.abc import Callable

import pytest

from vinc_keycloak.service.desired import ROLES

from .conftest import bootstrapped, put_back
from .realm import Realm

Vinc = Callable[..., tuple[int, str]]


def test_it_makes_everything_on_an_empty_server_and_nothing_again(vinc: Vinc, absent_realm: Realm) -> None:
    name = absent_realm.name
    looked = vinc(absent_realm, "keycloak", "bootstrap", "--check")
    first = vinc(absent_realm, "keycloak", "bootstrap")
    second = vinc(absent_realm, "keycloak", "bootstrap")

    assert (looked[0], looked[1].splitlines()[1].split()) == (3, ["realm", name, "missing", "there"])
    assert first[0] == 0, first[1]
    assert {f"role {role}: missing -> there" for role in ROLES} < set(first[1].splitlines())
    assert second == (0, "nothing had to be changed\n")
    assert vinc(absent_realm, "keycloak", "bootstrap", "--check") == (0, "everything is as it should be\n")


def spoil(realm: Realm) -> None:
    """Change by hand what an attacker or a hurried admin would."""
    realm.admin("PUT", "", {"bruteForceProtected": False})
    profile = realm.admin("GET", "/users/profile")
    for attribute in profile["attributes"]:
        if attribute["name"] == "role":
            attribute["permissions"]["edit"] = ["admin", "user"]
    realm.admin("PUT", "/users/profile", {**profile, "unmanagedAttributePolicy": "ENABLED"})
    key = realm.client("vinc-web")
    client = realm.admin("GET", f"/clients/{key}")
    realm.admin("PUT", f"/clients/{key}", {**client, "redirectUris": ["https://evil.example/*"]})
    (mapper,) = (one for one in client["protocolMappers"] if one["name"] == "vinc audience")
    realm.admin("DELETE", f"/clients/{key}/protocol-mappers/models/{mapper['id']}")
    (basic,) = (one for one in realm.admin("GET", "/client-scopes") if one["name"] == "basic")
    realm.admin("DELETE", f"/clients/{key}/default-client-scopes/{basic['id']}")


def test_a_check_tells_what_was_changed_and_writes_nothing(vinc: Vinc, realm: Realm) -> None:
    spoil(realm)
    code, said = vinc(realm, "keycloak", "bootstrap", "--check")
    again = vinc(realm, "keycloak", "bootstrap", "--check")
    mended = vinc(realm, "keycloak", "bootstrap")
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in said.splitlines()]

    assert (code, said) == (3, again[1])
    assert rows == [
        ["what", "is", "should be"],
        [f"realm {realm.name}: bruteForceProtected", "false", "true"],
        ["user profile: unmanagedAttributePolicy", "ENABLED", "unset"],
        [
            "user profile, attribute role: permissions",
            "view: admin; edit: admin, user",
            "view: admin; edit: admin",
        ],
        ["client vinc-web: redirectUris", "https://evil.example/*", "http://127.0.0.1:8000/docs/oauth2-redirect"],
        ["client vinc-web: scope basic", "missing", "there"],
        ["client vinc-web: mapper vinc audience", "missing", "there"],
    ]
    assert mended[1].splitlines()[-1] == "6 things changed"
    assert vinc(realm, "keycloak", "bootstrap", "--check") == (0, "everything is as it should be\n")


async def test_what_others_have_added_is_no_drift_and_stays(realm: Realm) -> None:
    realm.admin("POST", "/roles", {"name": "accountant"})
    realm.admin("POST", "/clients", {"clientId": "somebody-elses", "publicClient": True})
    profile = realm.admin("GET", "/users/profile")
    added = {"name": "shoe_size", "permissions": {"view": ["user", "admin"], "edit": ["user", "admin"]}}
    async with put_back(realm, "/users/profile"):
        realm.admin("PUT", "/users/profile", {**profile, "attributes": [*profile["attributes"], added]})
        assert await bootstrapped(realm, write=False) == []
        assert await bootstrapped(realm) == []
        declared = [one["name"] for one in realm.admin("GET", "/users/profile")["attributes"]]
        assert "shoe_size" in declared


async def test_a_masked_password_is_no_drift_and_a_new_one_gets_there(realm: Realm) -> None:
    signed_in = {"VINC_KEYCLOAK__SMTP_USER": "mailer", "VINC_KEYCLOAK__SMTP_PASSWORD": "old secret"}
    first = await bootstrapped(realm, **signed_in)
    second = await bootstrapped(realm, **{**signed_in, "VINC_KEYCLOAK__SMTP_PASSWORD": "new secret"})
    await bootstrapped(realm)

    assert "secret" not in repr(first)
    assert {one.what.rpartition(": ")[2] for one in first} == {"auth", "user", "password"}
    assert second == []


async def test_a_client_secret_may_bootstrap_too(realm: Realm) -> None:
    master = Realm(realm.keycloak, "master", 0, realm.http)
    name = f"admin-of-{realm.name}"
    client = {"clientId": name, "secret": "s3cret", "serviceAccountsEnabled": True, "standardFlowEnabled": False}
    key = master.admin("POST", "/clients", client)
    user = master.admin("GET", f"/clients/{key}/service-account-user")
    admin_role = master.admin("GET", "/roles/admin")
    master.admin("POST", f"/users/{user['id']}/role-mappings/realm", [admin_role])
    environ = {"VINC_KEYCLOAK_ADMIN_CLIENT_ID": name, "VINC_KEYCLOAK_ADMIN_CLIENT_SECRET": "s3cret"}
    nobody = {"VINC_KEYCLOAK_ADMIN_USERNAME": "", "VINC_KEYCLOAK_ADMIN_PASSWORD": ""}
    try:
        realm.admin("PUT", "", {"bruteForceProtected": False})
        made = await bootstrapped(realm, **environ, **nobody)
        again = await bootstrapped(realm, **environ, **nobody)
    finally:
        master.admin("DELETE", f"/clients/{key}")

    assert ([one.what for one in made], again) == ([f"realm {realm.name}: bruteForceProtected"], [])


def test_an_audience_that_is_a_client_is_refused(vinc: Vinc, realm: Realm) -> None:
    code, said = vinc(realm, "keycloak", "bootstrap", "--check", VINC_JWT_AUDIENCE="vinc-web")

    assert (code, said.count("\n")) == (1, 1)
    assert "set VINC_JWT_AUDIENCE to a name that is no client's" in said


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"VINC_KEYCLOAK_ADMIN_PASSWORD": "wr0ng"},
            "set VINC_KEYCLOAK__ADMIN_USERNAME and VINC_KEYCLOAK__ADMIN_PASSWORD",
        ),
        (
            {"VINC_KEYCLOAK_ADMIN_CLIENT_ID": "nobody", "VINC_KEYCLOAK_ADMIN_CLIENT_SECRET": "wr0ng"}
            | {"VINC_KEYCLOAK_ADMIN_USERNAME": "", "VINC_KEYCLOAK_ADMIN_PASSWORD": ""},
            "set VINC_KEYCLOAK__ADMIN_CLIENT_ID and VINC_KEYCLOAK__ADMIN_CLIENT_SECRET",
        ),
        ({"VINC_KEYCLOAK_ADMIN_USER_REALM": "nowhere"}, "has no realm 'nowhere' for its admin to sign in to"),
        ({"VINC_KEYCLOAK_SERVER_URL": "http://127.0.0.1:1"}, "cannot be reached: connection refused"),
    ],
)
def test_what_goes_wrong_is_one_line(vinc: Vinc, realm: Realm, changed: dict[str, str], told: str) -> None:
    code, said = vinc(realm, "keycloak", "bootstrap", **changed)

    assert (code, said.count("\n"), said.startswith("vinc: Keycloak at http")) == (1, 1, True), said
    assert told in said
    assert "wr0ng" not in said
    assert realm.keycloak.password not in said
