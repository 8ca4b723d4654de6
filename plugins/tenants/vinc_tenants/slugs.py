"""The rules of slugs. A tenant's slug never changes, and is never reused."""

import re

from pydantic_core import PydanticCustomError

SLUG = "^[a-z](-?[a-z0-9]){2,40}$"
UUID_LIKE = "^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$"  # a slug like an id could name two tenants
MIN_LENGTH, MAX_LENGTH = 3, 41
RULE = "must have 3 to 41 small letters, digits and single hyphens, and begin with a letter"
RESERVED = frozenset(
    {
        *("vinc", "kernel", "none", "null"),  # what telemetry and programs write without a tenant
        *("platform", "global", "system", "public", "all"),  # above tenants, or all of them
        *("api", "www", "admin", "auth", "mail", "docs", "static", "health"),  # hosts beside <slug>.example.com
        *("tenants", "new", "self"),  # segments of paths; `me` is too short for a slug
    }
)

is_well_formed = re.compile(SLUG.removeprefix("^").removesuffix("$")).fullmatch
is_like_an_id = re.compile(UUID_LIKE.removeprefix("^").removesuffix("$")).fullmatch


def allowed_slug(text: str) -> str:
    """Return the slug; raises ValueError for one that is not allowed."""
    if len(text) > MAX_LENGTH or not is_well_formed(text):
        raise PydanticCustomError("slug", RULE)
    if is_like_an_id(text):
        raise PydanticCustomError("slug_like_an_id", "must not look like an id")
    if text in RESERVED:
        raise PydanticCustomError("slug_reserved", "is a reserved word")
    return text
