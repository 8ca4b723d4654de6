"""The whole application with a real Keycloak: sessions end, machines come in, and the first super admin is made."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from vinc_kernel.app import Application
from vinc_testing import Database

from .conftest import Signed
from .mails import Mails
from .realm import Realm, claims

Vinc = Callable[..., tuple[int, str]]


async def status(client: httpx.AsyncClient) -> int:
    return (await client.get("/identity/me")).status_code


async def test_me_is_who_signed_in(with_token: Signed, realm: Realm, email: str, vinc_database: Database) -> None:
    vinc_database.add_tenant("acme")
    subject = realm.person(email, role=["supplier_admin"], allowed_wholesalers=["acme"])
    me = (await with_token(realm.sign_in(email)["access_token"]).get("/identity/me")).json()

    assert {name: me[name] for name in ("subject", "issuer", "email", "kind", "role", "tenants")} == {
        "subject": subject,
        "issuer": realm.url,
        "email": email,
        "kind": "person",
        "role": "wholesale_admin",
        "tenants": ["acme"],
    }


async def test_sessions_end_at_once_and_a_login_right_after_works(with_token: Signed, realm: Realm, email: str) -> None:
    realm.person(email, role=["viewer"])
    tokens = realm.sign_in(email)
    before = with_token(tokens["access_token"])
    ended = await before.post("/identity/sessions/end")
    refreshed = realm.refresh(tokens)
    after = realm.sign_in(email)

    assert (ended.status_code, ended.json()["provider"]) == (200, "confirmed")
    assert await status(before) == 401
    assert refreshed.status_code == 400
    assert await status(with_token(after["access_token"])) == 200
    assert claims(after["access_token"])["vinc_generation"] == 1


async def test_who_is_disabled_is_so_here_and_there_until_enabled(with_token: Signed, realm: Realm, email: str) -> None:
    realm.person(email, role=["viewer"])
    realm.person(f"boss-{email}", role=["super_admin"])
    tokens = realm.sign_in(email)
    person = with_token(tokens["access_token"])
    boss = with_token(realm.sign_in(f"boss-{email}")["access_token"])
    own = (await person.get("/identity/me")).json()["id"]
    disabled = await boss.post(f"/identity/principals/{own}/disable")
    while_disabled = (await status(person), realm.refresh(tokens).status_code)
    await boss.post(f"/identity/principals/{own}/enable")

    assert disabled.status_code == 200, disabled.text
    assert while_disabled == (401, 400)
    assert await status(person) == 401
    assert await status(with_token(realm.sign_in(email)["access_token"])) == 200


async def test_a_machine_comes_in_once_it_is_registered(
    vinc_app: Application, vinc: Vinc, with_token: Signed, realm: Realm, email: str, vinc_database: Database
) -> None:
    vinc_database.add_tenant("acme")
    name, day = email.partition("@")[0], f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    options = ["--name", name, "--tenant", "acme", "--role", "reseller", "--expires", day]
    words = ["identity", "service-account"]
    code, said = await asyncio.to_thread(vinc, realm, *words, "create", *options)
    assert code == 0, said
    told = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    asked = {"client_id": told["client id"], "client_secret": told["secret"]}
    machine = with_token(realm.grant(grant_type="client_credentials", **asked).json()["access_token"])
    me = await machine.get("/identity/me")
    assert (me.status_code, me.json()["kind"], me.json()["role"]) == (200, "service", "reseller"), me.text

    ended = await asyncio.to_thread(vinc, realm, *words, "end", name)
    assert ended[0] == 0, ended[1]
    await within_a_second(machine, 401)
    again = realm.grant(grant_type="client_credentials", **asked).json()["access_token"]
    assert await status(with_token(again)) == 200

    disabled = await asyncio.to_thread(vinc, realm, *words, "disable", name)
    assert disabled[0] == 0, disabled[1]
    assert realm.grant(grant_type="client_credentials", **asked).status_code in {400, 401}
    await within_a_second(with_token(again), 401)


async def within_a_second(client: httpx.AsyncClient, wanted: int) -> None:
    async with asyncio.timeout(1):
        while await status(client) != wanted:  # noqa: ASYNC110 - another worker tells nobody when it has heard
            await asyncio.sleep(0.02)


async def test_a_machine_that_nobody_has_registered_is_refused(with_token: Signed, realm: Realm) -> None:
    mappers = realm.admin("GET", f"/clients/{realm.client('vinc-web')}")["protocolMappers"]
    made = {"clientId": "stranger", "secret": "s3cret", "serviceAccountsEnabled": True, "standardFlowEnabled": False}
    kept = [{key: value for key, value in one.items() if key != "id"} for one in mappers]
    key = realm.admin("POST", "/clients", {**made, "protocolMappers": kept})
    asked = {"grant_type": "client_credentials", "client_id": "stranger", "client_secret": "s3cret"}
    token = realm.grant(**asked).json()["access_token"]
    realm.admin("DELETE", f"/clients/{key}")

    assert "vinc-api" in claims(token)["aud"]
    assert await status(with_token(token)) == 401


def test_a_super_admin_is_made_and_a_second_time_nothing_happens(
    vinc: Vinc, realm: Realm, email: str, box: Mails
) -> None:
    words = ["identity", "create-super-admin", "--email", email, "--name", "Ada Lovelace"]
    first = vinc(realm, *words)
    second = vinc(realm, *words)
    (found,) = realm.admin("GET", f"/users?exact=true&email={email}")

    assert (first[0], second[0]) == (0, 0), (first, second)
    assert found["attributes"] == {"role": ["super_admin"]}
    assert (found["firstName"], found["lastName"], found["enabled"]) == ("Ada", "Lovelace", True)
    assert box.to(email)
    assert sum(email in str(mail["to"]) for mail in box.arrived) == 1


def test_a_super_admin_may_be_somebody_who_is_there(vinc: Vinc, realm: Realm, email: str) -> None:
    subject = realm.person(email, role=["viewer"], allowed_wholesalers=["acme"])
    code, said = vinc(realm, "identity", "create-super-admin", "--email", email, "--name", "Ada")
    told = claims(realm.sign_in(email)["access_token"])

    assert code == 0, said
    assert (told["sub"], told["role"], told["allowed_wholesalers"]) == (subject, "super_admin", ["acme"])


@pytest.mark.parametrize(
    ("options", "made"),
    [
        (["--temp-password", "Str0ng-enough-for-1"], {"requiredActions": ["UPDATE_PASSWORD"]}),
        (["--temp-password"], {"requiredActions": ["UPDATE_PASSWORD"]}),
        (["--no-activate"], {"enabled": False}),
    ],
)
def test_a_super_admin_gets_a_temporary_password_or_is_not_active_yet(
    vinc: Vinc, realm: Realm, email: str, options: list[str], made: dict[str, object]
) -> None:
    code, said = vinc(realm, "identity", "create-super-admin", "--email", email, "--name", "Ada", *options)
    (found,) = realm.admin("GET", f"/users?exact=true&email={email}")

    assert code == 0, said
    assert {name: found[name] for name in made} == made


def test_without_keycloak_a_command_says_so_in_one_line(vinc: Vinc, realm: Realm, email: str) -> None:
    words = ["identity", "create-super-admin", "--email", email, "--name", "Ada"]
    code, said = vinc(realm, *words, VINC_KEYCLOAK_SERVER_URL="http://127.0.0.1:1")

    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("vinc: Keycloak at http://127.0.0.1:1 cannot be reached: connection refused: see whether")
