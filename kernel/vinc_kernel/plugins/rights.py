"""What each role is worth here, from everything that the plugins contribute."""

from __future__ import annotations

from collections.abc import Sequence

from ..contracts import Contribution
from ..guards import Rights


def rights(contributions: Sequence[Contribution], tenant_header: str) -> Rights:
    by_role: dict[str, set[str]] = {}
    canonical: dict[str, str] = {}
    platform: set[str] = set()
    ranks: dict[str, int] = {}
    for made in contributions:
        for role in made.roles:
            canonical |= dict.fromkeys((role.name, *role.aliases), role.name)
            platform |= {role.name} if role.platform else set()
            ranks[role.name] = role.rank
    for made in contributions:
        for capability in made.capabilities:
            for name in capability.roles:
                by_role.setdefault(canonical.get(name, name), set()).add(str(capability))
    return Rights(
        by_role={role: frozenset(granted) for role, granted in by_role.items()},
        platform_roles=frozenset(platform),
        canonical=canonical,
        ranks=ranks,
        tenant_header=tenant_header,
    )
