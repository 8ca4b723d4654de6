"""What an operator sets: by newer and older names, and what is refused."""

import pytest

from vinc_kernel import VincError

from .conftest import settings


def test_older_names_and_newer_ones_are_the_same_settings() -> None:
    older = settings(
        VINC_KEYCLOAK_REALM="sales", VINC_KEYCLOAK_ROLE_ATTRIBUTE="vinc_role", VINC_KEYCLOAK_VERIFY_SSL="no"
    )
    newer = settings(VINC_KEYCLOAK_REALM="sales", VINC_KEYCLOAK__REALM="shop")

    assert (older.realm, older.attributes["role"], older.verify_ssl) == ("sales", "vinc_role", False)
    assert newer.realm == "shop"


def test_the_issuer_is_the_realm_unless_it_is_called_otherwise_outside() -> None:
    inside = "http://keycloak:8080/auth/"
    public = settings(VINC_KEYCLOAK_SERVER_URL=inside, VINC_KEYCLOAK__ISSUER="https://login.example/realms/vinc")

    assert settings(VINC_KEYCLOAK_SERVER_URL=inside).issuer_url == "http://keycloak:8080/auth/realms/vinc"
    assert (public.issuer_url, public.server_url) == ("https://login.example/realms/vinc", "http://keycloak:8080/auth")


def test_nobody_sees_a_secret() -> None:
    made = settings(VINC_KEYCLOAK__SMTP_USER="m", VINC_KEYCLOAK__SMTP_PASSWORD="canary-of-a-mailer")

    assert "canary" not in f"{made!r} {made}"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"VINC_KEYCLOAK_SERVER_URL": "login.example"}, "VINC_KEYCLOAK_SERVER_URL (environment): write it as https://"),
        ({"VINC_KEYCLOAK_SERVER_URL": "ldap://login.example"}, "write it as https://login.example"),
        ({"VINC_KEYCLOAK_SERVER_URL": "https://"}, "with its port and path if it has them"),
        ({"VINC_KEYCLOAK_SERVER_URL": "https://u:canary@login.example"}, "write it as https://login.example"),
        ({"VINC_KEYCLOAK_SERVER_URL": "https://login.example?canary"}, "write it as https://login.example"),
        ({"VINC_KEYCLOAK_SERVER_URL": "https://login.example:port"}, "write it as https://login.example"),
        ({"VINC_KEYCLOAK_REALM": "../master"}, "VINC_KEYCLOAK_REALM (environment)"),
        ({"VINC_KEYCLOAK__TIMEOUT": "inf"}, "VINC_KEYCLOAK__TIMEOUT (environment)"),
        ({"VINC_KEYCLOAK__TIMEOUT": "0"}, "VINC_KEYCLOAK__TIMEOUT (environment)"),
        ({"VINC_KEYCLOAK_ADMIN_PASSWORD": ""}, "VINC_KEYCLOAK__ADMIN_PASSWORD is missing"),
        ({"VINC_KEYCLOAK_ADMIN_USERNAME": ""}, "VINC_KEYCLOAK__ADMIN_USERNAME is missing"),
        (
            {
                "VINC_KEYCLOAK_ADMIN_USERNAME": "",
                "VINC_KEYCLOAK_ADMIN_PASSWORD": "",
                "VINC_KEYCLOAK_ADMIN_CLIENT_ID": "x",
            },
            "or VINC_KEYCLOAK__ADMIN_CLIENT_ID and VINC_KEYCLOAK__ADMIN_CLIENT_SECRET",
        ),
        ({"VINC_KEYCLOAK__REDIRECT_URIS": "https://app.example/*"}, "`*` and `#` are refused"),
        ({"VINC_KEYCLOAK__REDIRECT_URIS": "https://app.example/a,app://x"}, "write each in full"),
        ({"VINC_KEYCLOAK__WEB_ORIGINS": "*"}, "write each as https://app.example"),
        ({"VINC_KEYCLOAK__WEB_ORIGINS": "https://app.example/"}, "and without a path"),
        ({"VINC_KEYCLOAK_ROLE_ATTRIBUTE": "email"}, "the attributes for claims need names of their own"),
        ({"VINC_KEYCLOAK_ROLE_ATTRIBUTE": "multi_tenant"}, "the attributes for claims need names of their own"),
        ({"VINC_KEYCLOAK__SMTP_HOST": "mail.example"}, "VINC_KEYCLOAK__SMTP_FROM is missing"),
        ({"VINC_KEYCLOAK__SMTP_PASSWORD": "canary"}, "VINC_KEYCLOAK__SMTP_USER is missing"),
        ({"VINC_KEYCLOAK__SMTP_USER": "mailer"}, "VINC_KEYCLOAK__SMTP_PASSWORD is missing"),
        ({"VINC_KEYCLOAK__SMTP_PORT": "0"}, "VINC_KEYCLOAK__SMTP_PORT (environment)"),
    ],
)
def test_invalid_settings_are_refused_by_name(environ: dict[str, str], expected: str) -> None:
    with pytest.raises(VincError) as refused:
        settings(**environ)

    assert expected in str(refused.value)
    assert "canary" not in str(refused.value)
