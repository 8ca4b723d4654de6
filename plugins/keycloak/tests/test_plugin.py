"""The plugin starts without a Keycloak, and trusts its issuer."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from vinc_identity.contracts import IdentityProvider
from vinc_kernel import StartError
from vinc_keycloak.plugin import make_issuer
from vinc_keycloak.service.provider import KeycloakProvider
from vinc_testing import Client, VincApp

from .conftest import GIVEN, settings

ISSUER = "http://127.0.0.1:1/realms/vinc"


IN_PRODUCTION = {"VINC_ENV": "prod", "VINC_SECRET_KEY": "k" * 40, "VINC_JWT_TEST_SECRET": ""}
MAIL = {
    "VINC_KEYCLOAK__SMTP_HOST": "mail.example",
    "VINC_KEYCLOAK__SMTP_FROM": "vinc@acme.example",
    "VINC_KEYCLOAK__SMTP_STARTTLS": "false",
}


@pytest.fixture
def more() -> dict[str, str]:
    return {}


@pytest.fixture
def vinc_environment(tmp_path: Path, more: dict[str, str]) -> Mapping[str, str]:
    names = ("health", "tenants", "identity", "keycloak")
    (tmp_path / "plugins.toml").write_text("".join(f"[plugins.{name}]\n" for name in names))
    file = {"VINC_PLUGINS_FILE": str(tmp_path / "plugins.toml")}
    return {**GIVEN, "VINC_KEYCLOAK_SERVER_URL": "http://127.0.0.1:1", **file, **more}


async def test_it_starts_and_is_ready_without_a_keycloak(vinc_app: VincApp, client: Client) -> None:
    app = vinc_app.plugin("keycloak")
    provider = app.get(IdentityProvider)
    document = (await client.get("/openapi.json")).json()

    assert isinstance(provider, KeycloakProvider)
    assert provider.issuer == ISSUER
    assert f"{ISSUER}/protocol/openid-connect/auth" in str(document["components"]["securitySchemes"])
    assert "keycloak" not in [check.name for check in app.checks]


def test_its_keys_come_from_the_address_inside_and_people_sign_in_at_the_public_one() -> None:
    issuer = make_issuer(settings(VINC_KEYCLOAK__ISSUER="https://public.example/realms/vinc"), "vinc-api")

    assert (issuer.url, issuer.audience) == ("https://public.example/realms/vinc", "vinc-api")
    assert issuer.jwks_url == "https://login.example/realms/vinc/protocol/openid-connect/certs"
    assert issuer.sign_in
    assert (issuer.sign_in.flow, issuer.sign_in.client_id) == ("code", "vinc-web")
    assert issuer.sign_in.authorization_url == "https://public.example/realms/vinc/protocol/openid-connect/auth"


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({**IN_PRODUCTION, "VINC_KEYCLOAK__PASSWORD_GRANT": "true"}, "VINC_KEYCLOAK__PASSWORD_GRANT"),
        ({**IN_PRODUCTION, "VINC_KEYCLOAK_VERIFY_SSL": "false"}, "VINC_KEYCLOAK__VERIFY_SSL"),
        ({**IN_PRODUCTION, "VINC_KEYCLOAK_SERVER_URL": "http://login.example"}, "VINC_KEYCLOAK__SERVER_URL"),
        ({**IN_PRODUCTION, "VINC_KEYCLOAK_SERVER_URL": ""}, "VINC_KEYCLOAK__SERVER_URL"),
        ({**IN_PRODUCTION, "VINC_KEYCLOAK__ISSUER": "http://login.example/realms/vinc"}, "VINC_KEYCLOAK__ISSUER"),
        ({**IN_PRODUCTION, **MAIL}, "VINC_KEYCLOAK__SMTP_STARTTLS"),
    ],
)
def test_unsafe_settings_stop_production(vinc_make_app: Callable[[], VincApp], name: str) -> None:
    with pytest.raises(StartError, match=f"keycloak: settings: {name}: "):
        vinc_make_app()


@pytest.mark.parametrize("more", [{"VINC_KEYCLOAK_SERVER_URL": ""}])
async def test_without_an_address_it_signs_nobody_in(vinc_app: VincApp) -> None:
    with pytest.raises(LookupError):
        vinc_app.plugin("keycloak").get(IdentityProvider)


@pytest.mark.parametrize("more", [IN_PRODUCTION])
async def test_it_is_for_production(vinc_app: VincApp) -> None:
    assert vinc_app.plugin("keycloak").get(IdentityProvider)
