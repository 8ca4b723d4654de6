"""What `vinc keycloak bootstrap` creates, as data of Keycloak's API. Anything else in the realm is left alone.

Mappings are compared key by key, lists without their order.
"""

from typing import Any

from ..settings import KeycloakSettings

Json = dict[str, Any]

ROLES = {
    "super_admin": "Super admin, above all tenants",
    "wholesale_admin": "Admin of a tenant",
    "wholesaler_helpdesk": "Helpdesk of a tenant",
    "agent_admin": "Admin of a tenant's agents",
    "agent": "Agent of a tenant",
    "reseller": "Reseller, a customer of a tenant",
    "viewer": "Viewer",
}
# `basic` brings `sub`: without it there is no principal (threats, T13).
SCOPES = frozenset({"basic", "email", "profile", "roles"})
# Its sessions can outlive the ending of all sessions, by the difference between two computers' clocks.
UNWANTED_SCOPES = frozenset({"offline_access"})
MULTIVALUED = frozenset({"allowed_wholesalers", "allowed_customers", "allowed_addresses"})
ADMINS_ONLY = {"view": ["admin"], "edit": ["admin"]}
READABLE_BY_USERS = {"view": ["admin", "user"], "edit": ["admin"]}


def realm(settings: KeycloakSettings) -> Json:
    """Return the realm's settings: no self-registration, and protection against guessing."""
    values: Json = {
        "enabled": True,
        "sslRequired": "external",
        "registrationAllowed": False,
        "registrationEmailAsUsername": True,  # an address that is free again is a free user name as well
        "loginWithEmailAllowed": True,
        "duplicateEmailsAllowed": False,
        "editUsernameAllowed": False,
        "bruteForceProtected": True,
        "failureFactor": 10,
        "waitIncrementSeconds": 60,
        "maxFailureWaitSeconds": 900,
        "accessTokenLifespan": 300,
        "ssoSessionIdleTimeout": 1800,
        "ssoSessionMaxLifespan": 36000,
    }
    if settings.smtp_host:
        values["smtpServer"] = smtp(settings)
    return values


def smtp(settings: KeycloakSettings) -> dict[str, str]:
    """Return the realm's mail server; Keycloak stores all values as strings."""
    values = {
        "host": settings.smtp_host or "",
        "port": str(settings.smtp_port),
        "from": settings.smtp_from or "",
        "fromDisplayName": settings.smtp_from_name,
        "starttls": to_text(settings.smtp_starttls),
        "ssl": to_text(settings.smtp_ssl),
        "auth": to_text(settings.smtp_user is not None),
    }
    if settings.smtp_user and settings.smtp_password:
        values |= {"user": settings.smtp_user, "password": settings.smtp_password.get_secret_value()}
    return values


def attributes(settings: KeycloakSettings) -> list[Json]:
    """Return the attributes of claims: declared, or Keycloak drops them, and for admins only (threats, T11)."""
    return [
        {"name": attribute, "permissions": ADMINS_ONLY, "multivalued": claim in MULTIVALUED}
        for claim, attribute in settings.attributes.items()
    ]


def own_attributes() -> list[Json]:
    """Return changes of Keycloak's own attributes.

    Users may not change their address, or they could take another user's (threats, T12). One name is enough.
    """
    return [
        {"name": "email", "permissions": READABLE_BY_USERS},
        {"name": "firstName", "required": None},
        {"name": "lastName", "required": None},
    ]


def client(settings: KeycloakSettings) -> Json:
    """Return the client that people sign in with: public, so without a secret, and with PKCE (RFC 7636)."""
    return {
        "enabled": True,
        "protocol": "openid-connect",
        "publicClient": True,
        "standardFlowEnabled": True,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": settings.password_grant,
        "serviceAccountsEnabled": False,
        "fullScopeAllowed": False,  # its tokens have our roles, and no others of the user
        "redirectUris": settings.redirect_uris,
        "webOrigins": settings.web_origins,
        "attributes": {"pkce.code.challenge.method": "S256"},
    }


def mappers(settings: KeycloakSettings, audience: str) -> list[Json]:
    """Return the mappers for access tokens; no other token has our claims or audience (threats, T2)."""
    tokens = {"access.token.claim": "true", "id.token.claim": "false", "userinfo.token.claim": "false"}
    audience_mapper = {
        "name": "vinc audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": audience, **tokens},
    }
    return [audience_mapper, *(mapper(claim, name, tokens) for claim, name in settings.attributes.items())]


def mapper(claim: str, attribute: str, tokens: dict[str, str]) -> Json:
    return {
        "name": f"vinc {claim}",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-usermodel-attribute-mapper",
        "config": {
            "user.attribute": attribute,
            "claim.name": claim,
            "jsonType.label": "int" if claim == "vinc_generation" else "String",
            "multivalued": to_text(claim in MULTIVALUED),
            "aggregate.attrs": "false",  # a group's attributes are for whoever may change groups
            **tokens,
        },
    }


def to_text(value: bool) -> str:  # noqa: FBT001  it is the value to convert
    return "true" if value else "false"
