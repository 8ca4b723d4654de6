"""Compare what Keycloak has with what it should have. Nothing here calls Keycloak, and no secret is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MASK = "**********"  # which Keycloak shows in place of a stored secret
SECRETS = frozenset({"password", "secret"})
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it should be."""

    what: str
    found: str
    wanted: str


def missing(what: str) -> Difference:
    return Difference(what=what, found="missing", wanted="there")


def unwanted(what: str) -> Difference:
    return Difference(what=what, found="there", wanted="not there")


def compare(what: str, found: Json, wanted: Json) -> list[Difference]:
    """Return the differences in the wanted keys; other keys are ignored."""
    differences: list[Difference] = []
    for key, value in wanted.items():
        name, current = f"{what}: {key}", found.get(key)
        if isinstance(value, Mapping) and not is_permissions(value):
            differences += compare(name, current if isinstance(current, Mapping) else {}, value)
        elif key in SECRETS:
            if current != MASK:
                differences.append(Difference(what=name, found=mask(current), wanted=MASK))
        elif normalise(current) != normalise(value):
            differences.append(Difference(what=name, found=format_value(current), wanted=format_value(value)))
    return differences


def is_permissions(value: Json) -> bool:
    """Return whether it is an attribute's permissions, which are compared as a whole."""
    return set(value) == {"view", "edit"}


def mask(value: object) -> str:
    return MASK if value else "unset"


def normalise(value: object) -> object:
    """Return a value without the order of lists and without empty values."""
    if isinstance(value, list):
        return sorted(map(str, value))
    if isinstance(value, Mapping):
        return {key: normalise(one) for key, one in value.items()}
    return value if value not in ("", None) else None


def format_value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(sorted(map(str, value))) or "none"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {format_value(one)}" for key, one in value.items())
    if value is None or value == "":
        return "unset"
    return str(value).lower() if isinstance(value, bool) else str(value)


def by_name(items: object) -> dict[str, Json]:
    return {str(one["name"]): one for one in items or () if isinstance(one, Mapping)} if isinstance(items, list) else {}


def compare_profile(found: Json, wanted: Sequence[Json]) -> list[Difference]:
    """Return the differences in the user profile: our attributes, and the policy for undeclared ones."""
    declared = by_name(found.get("attributes"))
    differences = compare("user profile", found, {"unmanagedAttributePolicy": None})
    for one in wanted:
        what = f"user profile, attribute {one['name']}"
        rest = {key: value for key, value in one.items() if key != "name"}
        is_declared = one["name"] in declared
        differences += compare(what, declared[one["name"]], rest) if is_declared else [missing(what)]
    return differences


def merge_profile(found: Json, wanted: Sequence[Json]) -> dict[str, Any]:
    """Return the user profile with the wanted attributes; the rest is unchanged."""
    merged = {key: value for key, value in found.items() if key != "unmanagedAttributePolicy"}
    ours = by_name(list(wanted))
    kept = [{**one, **ours.pop(str(one["name"]), {})} for one in found.get("attributes", [])]
    new = [{"displayName": name, **one} for name, one in ours.items()]
    merged["attributes"] = [{key: value for key, value in one.items() if value is not None} for one in [*kept, *new]]
    return merged


def merge(found: Json, wanted: Json) -> dict[str, Any]:
    """Return what Keycloak has with the wanted values, as its PUT replaces everything."""
    nested = {
        key: {**found[key], **value}
        for key, value in wanted.items()
        if isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
    }
    return {**found, **wanted, **nested}
