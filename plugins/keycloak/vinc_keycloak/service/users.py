"""A user in Keycloak's words and in ours; what we do not know is passed through, since its PUT replaces."""

from collections.abc import Mapping
from typing import Any

from vinc_identity.contracts import Profile, ProviderUser

from ..settings import KeycloakSettings

Json = dict[str, Any]
MADE_UP = frozenset({"access", "userProfileMetadata"})  # parts of an answer that are none of the user


def representation(profile: Profile, settings: KeycloakSettings, present: Json | None = None) -> Json:
    """The user with this profile; what is `present` besides stays."""
    kept = {key: value for key, value in (present or {}).items() if key not in MADE_UP}
    first, _, last = profile.name.strip().rpartition(" ")
    if not first:
        first, last = last, ""
    return {
        **kept,
        "username": profile.email,  # as the realm has it: registrationEmailAsUsername
        "email": profile.email,
        "firstName": first,
        "lastName": last,
        "attributes": {**(kept.get("attributes") or {}), **attributes(profile, settings)},
    }


def attributes(profile: Profile, settings: KeycloakSettings) -> dict[str, list[str]]:
    """What becomes claims; an empty list takes an attribute away."""
    names = settings.attributes
    return {
        names["role"]: [profile.role] if profile.role else [],
        names["allowed_wholesalers"]: list(profile.tenants),
        names["multi_tenant"]: ["true"] if len(profile.tenants) > 1 else [],
        names["allowed_customers"]: list(profile.customers),
        names["allowed_addresses"]: list(profile.addresses),
    }


def provider_user(found: Mapping[str, Any], settings: KeycloakSettings) -> ProviderUser:
    """A user that Keycloak has answered with."""
    has, names = found.get("attributes") or {}, settings.attributes
    profile = Profile(
        email=str(found.get("email") or ""),
        name=" ".join(filter(None, (found.get("firstName"), found.get("lastName")))),
        role=next(iter(has.get(names["role"], ())), ""),
        tenants=tuple(has.get(names["allowed_wholesalers"], ())),
        customers=tuple(has.get(names["allowed_customers"], ())),
        addresses=tuple(has.get(names["allowed_addresses"], ())),
    )
    return ProviderUser(subject=str(found["id"]), profile=profile, enabled=bool(found.get("enabled")))


def generation(found: Mapping[str, Any], settings: KeycloakSettings) -> int:
    """The number that is stamped into this user's tokens; 0 before there is one."""
    values = (found.get("attributes") or {}).get(settings.generation_attribute) or ["0"]
    return int(values[0]) if str(values[0]).isdecimal() else 0


def lost(sent: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    """An attribute that was sent and is not there as it was sent; None when all are."""
    wanted, now = sent.get("attributes") or {}, found.get("attributes") or {}
    return next((name for name, values in wanted.items() if set(now.get(name, ())) != set(values)), None)
