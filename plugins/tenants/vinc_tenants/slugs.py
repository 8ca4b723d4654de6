"""What a slug may be. A tenant keeps its slug for ever, and no other tenant gets it."""

import re

SLUG = "^[a-z](-?[a-z0-9]){2,40}$"
UUID_LIKE = "^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$"  # a slug that reads as an id would be somebody else's
SHORTEST, LONGEST = 3, 41
RESERVED = frozenset(
    {
        *("vinc", "kernel", "none", "null"),  # what telemetry and programs write where there is no tenant
        *("platform", "global", "system", "public", "all"),  # what stands above tenants, or for every one of them
        *(
            "api",
            "www",
            "admin",
            "auth",
            "mail",
            "docs",
            "static",
            "health",
        ),  # names of hosts beside <slug>.example.com
        *("tenants", "new", "self"),  # words of addresses; `me` is too short for a slug
    }
)

well_formed = re.compile(SLUG.removeprefix("^").removesuffix("$")).fullmatch
like_an_id = re.compile(UUID_LIKE.removeprefix("^").removesuffix("$")).fullmatch


def allowed_slug(text: str) -> str:
    """The slug as it is; raises ValueError for what can be none."""
    if len(text) > LONGEST or not well_formed(text):
        message = f"must have {SHORTEST} to {LONGEST} small letters, digits and single hyphens, and begin with a letter"
        raise ValueError(message)
    if like_an_id(text):
        message = "must not look like an id"
        raise ValueError(message)
    if text in RESERVED:
        message = "is a reserved word"
        raise ValueError(message)
    return text
