"""Compare what is in Keycloak with what should be. Nothing here asks anybody; the secret ones are never shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MASK = "**********"  # what Keycloak shows of a secret that it keeps
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


def too_much(what: str) -> Difference:
    return Difference(what=what, found="there", wanted="not there")


def differences(what: str, found: Json, wanted: Json) -> list[Difference]:
    """What is wanted and is not so; a key that nobody wants does not count."""
    listed: list[Difference] = []
    for key, value in wanted.items():
        name, is_now = f"{what}: {key}", found.get(key)
        if isinstance(value, Mapping) and not is_permissions(value):
            listed += differences(name, is_now if isinstance(is_now, Mapping) else {}, value)
        elif key in SECRETS:
            if is_now != MASK:
                listed.append(Difference(what=name, found=hidden(is_now), wanted=MASK))
        elif plain(is_now) != plain(value):
            listed.append(Difference(what=name, found=shown(is_now), wanted=shown(value)))
    return listed


def is_permissions(value: Json) -> bool:
    """Who may view and edit an attribute is one thing: nobody wants to read half of it."""
    return set(value) == {"view", "edit"}


def hidden(value: object) -> str:
    return MASK if value else "unset"


def plain(value: object) -> object:
    """A value without what does not count: the order of a list, a key that is empty."""
    if isinstance(value, list):
        return sorted(map(str, value))
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return value if value not in ("", None) else None


def shown(value: object) -> str:
    """A value for human eyes, in one line."""
    if isinstance(value, list):
        return ", ".join(sorted(map(str, value))) or "none"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {shown(one)}" for key, one in value.items())
    if value is None or value == "":
        return "unset"
    return str(value).lower() if isinstance(value, bool) else str(value)


def by_name(items: object) -> dict[str, Json]:
    """Keycloak's lists of named things."""
    return {str(one["name"]): one for one in items or () if isinstance(one, Mapping)} if isinstance(items, list) else {}


def profile_differences(found: Json, wanted: Sequence[Json]) -> list[Difference]:
    """What is wrong with the user profile: our attributes, and the rule for those that nobody has declared."""
    declared = by_name(found.get("attributes"))
    listed = differences("user profile", found, {"unmanagedAttributePolicy": None})
    for one in wanted:
        what = f"user profile, attribute {one['name']}"
        rest = {key: value for key, value in one.items() if key != "name"}
        is_declared = one["name"] in declared
        listed += differences(what, declared[one["name"]], rest) if is_declared else [missing(what)]
    return listed


def merged_profile(found: Json, wanted: Sequence[Json]) -> dict[str, Any]:
    """The user profile with what is wanted in it, and all the rest as it is."""
    made = {key: value for key, value in found.items() if key != "unmanagedAttributePolicy"}
    ours = by_name(list(wanted))
    kept = [{**one, **ours.pop(str(one["name"]), {})} for one in found.get("attributes", [])]
    new = [{"displayName": name, **one} for name, one in ours.items()]
    made["attributes"] = [{key: value for key, value in one.items() if value is not None} for one in [*kept, *new]]
    return made


def merged(found: Json, wanted: Json) -> dict[str, Any]:
    """What is there with what is wanted in it; Keycloak replaces what it is sent."""
    nested = {
        key: {**found[key], **value}
        for key, value in wanted.items()
        if isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
    }
    return {**found, **wanted, **nested}
