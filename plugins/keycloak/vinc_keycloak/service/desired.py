"""What `vinc keycloak bootstrap` makes, as data in Keycloak's own words. What is not named here is nobody's business.

A value that is a mapping is compared key by key, a list without its order.
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
# Its sessions outlive the end of all sessions by as long as the clock of two computers differs.
SCOPES_TOO_MUCH = frozenset({"offline_access"})
SEVERAL = frozenset({"allowed_wholesalers", "allowed_customers", "allowed_addresses"})
BY_ADMINS = {"view": ["admin"], "edit": ["admin"]}
SEEN_BY_USERS = {"view": ["admin", "user"], "edit": ["admin"]}


def realm(settings: KeycloakSettings) -> Json:
    """The realm's own settings. Nobody registers by themselves, or guesses passwords without end."""
    made: Json = {
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
        made["smtpServer"] = smtp(settings)
    return made


def smtp(settings: KeycloakSettings) -> dict[str, str]:
    """The realm's mail server; Keycloak keeps all of it as text."""
    made = {
        "host": settings.smtp_host or "",
        "port": str(settings.smtp_port),
        "from": settings.smtp_from or "",
        "fromDisplayName": settings.smtp_from_name,
        "starttls": truth(settings.smtp_starttls),
        "ssl": truth(settings.smtp_ssl),
        "auth": truth(settings.smtp_user is not None),
    }
    if settings.smtp_user and settings.smtp_password:
        made |= {"user": settings.smtp_user, "password": settings.smtp_password.get_secret_value()}
    return made


def attributes(settings: KeycloakSettings) -> list[Json]:
    """What becomes claims: declared, or Keycloak drops it without a word, and for admins alone (threats, T11)."""
    return [
        {"name": attribute, "permissions": BY_ADMINS, "multivalued": claim in SEVERAL}
        for claim, attribute in settings.attributes.items()
    ]


def own_attributes() -> list[Json]:
    """What Keycloak declares by itself, and we change.

    A user who takes another's address would be found by it (threats, T12). A user may be called by one word.
    """
    return [
        {"name": "email", "permissions": SEEN_BY_USERS},
        {"name": "firstName", "required": None},
        {"name": "lastName", "required": None},
    ]


def client(settings: KeycloakSettings) -> Json:
    """The client that people sign in with: public, so without a secret, and therefore with PKCE (RFC 7636)."""
    return {
        "enabled": True,
        "protocol": "openid-connect",
        "publicClient": True,
        "standardFlowEnabled": True,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": settings.password_grant,
        "serviceAccountsEnabled": False,
        "fullScopeAllowed": False,  # its tokens say our roles, and none that its user has for other purposes
        "redirectUris": settings.redirect_uris,
        "webOrigins": settings.web_origins,
        "attributes": {"pkce.code.challenge.method": "S256"},
    }


def mappers(settings: KeycloakSettings, audience: str) -> list[Json]:
    """How claims come into access tokens; into no other token, and our audience neither (threats, T2)."""
    told = {"access.token.claim": "true", "id.token.claim": "false", "userinfo.token.claim": "false"}
    audience_mapper = {
        "name": "vinc audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": audience, **told},
    }
    return [audience_mapper, *(mapper(claim, name, told) for claim, name in settings.attributes.items())]


def mapper(claim: str, attribute: str, told: dict[str, str]) -> Json:
    return {
        "name": f"vinc {claim}",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-usermodel-attribute-mapper",
        "config": {
            "user.attribute": attribute,
            "claim.name": claim,
            "jsonType.label": "int" if claim == "vinc_generation" else "String",
            "multivalued": truth(claim in SEVERAL),
            "aggregate.attrs": "false",  # a group's attributes are for whoever may change groups
            **told,
        },
    }


def truth(value: bool) -> str:  # noqa: FBT001 - it is the value that is written
    return "true" if value else "false"
