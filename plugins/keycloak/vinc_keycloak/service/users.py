"""Convert users to and from Keycloak's API; unknown fields are kept, as its PUT replaces everything."""

from collections.abc import Mapping
from typing import Any

from vinc_identity.contracts import Profile, ProviderUser

from ..settings import KeycloakSettings

Json = dict[str, Any]
READ_ONLY = frozenset({"access", "userProfileMetadata"})  # in responses only


def to_representation(profile: Profile, settings: KeycloakSettings, present: Json | None = None) -> Json:
    """Return the user with this profile; other fields of `present` are kept."""
    kept = {key: value for key, value in (present or {}).items() if key not in READ_ONLY}
    first, _, last = profile.name.strip().rpartition(" ")
    if not first:
        first, last = last, ""
    return {
        **kept,
        "username": profile.email,  # as registrationEmailAsUsername sets it
        "email": profile.email,
        "firstName": first,
        "lastName": last,
        "attributes": {**(kept.get("attributes") or {}), **attributes(profile, settings)},
    }


def attributes(profile: Profile, settings: KeycloakSettings) -> dict[str, list[str]]:
    """Return the attributes of claims; an empty list removes one."""
    names = settings.attributes
    return {
        names["role"]: [profile.role] if profile.role else [],
        names["allowed_wholesalers"]: list(profile.tenants),
        names["multi_tenant"]: ["true"] if len(profile.tenants) > 1 else [],
        names["allowed_customers"]: list(profile.customers),
        names["allowed_addresses"]: list(profile.addresses),
    }


def to_provider_user(found: Mapping[str, Any], settings: KeycloakSettings) -> ProviderUser:
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


def read_generation(found: Mapping[str, Any], settings: KeycloakSettings) -> int:
    """Return the user's generation; 0 where none is set."""
    values = (found.get("attributes") or {}).get(settings.generation_attribute) or ["0"]
    return int(values[0]) if str(values[0]).isdecimal() else 0


def find_dropped(sent: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    """Return an attribute that was not stored as it was sent; None when all were."""
    wanted, now = sent.get("attributes") or {}, found.get("attributes") or {}
    return next((name for name, values in wanted.items() if set(now.get(name, ())) != set(values)), None)
