"""The demo accounts of `./dev up`: one for each role in each of the two demo tenants."""

from __future__ import annotations

from collections.abc import Iterator

from vinc_identity.contracts import Profile

from .. import repository
from .issuer import DevIssuer
from .provider import profile_columns

PASSWORD = "vinc-demo-password"  # noqa: S105  public, and never in production
TENANTS = {"acme": "Acme", "globex": "Globex"}
ROLES = {
    "admin": "wholesale_admin",
    "helpdesk": "wholesaler_helpdesk",
    "agentadmin": "agent_admin",
    "agent": "agent",
    "reseller": "reseller",
    "viewer": "viewer",
}


def demo_profiles() -> Iterator[Profile]:
    yield Profile(email="super@vinc.example", name="Super admin", role="super_admin")
    for slug, tenant in TENANTS.items():
        for who, role in ROLES.items():
            name = f"{tenant} {role.replace('_', ' ')}"
            yield Profile(email=f"{who}@{slug}.example", name=name, role=role, tenants=[slug])
    yield Profile(email="admin2@acme.example", name="Admin of both", role="wholesale_admin", tenants=[*TENANTS])


async def add(issuer: DevIssuer) -> list[str]:
    """Add the accounts that do not exist, and return their addresses."""
    # One hash for all: the password is public, so a salt for each protects nothing, and each hash takes 50 ms.
    hashed = await issuer.passwords.hash(PASSWORD)
    accounts = [{"email": one.email, "password_hash": hashed, **profile_columns(one)} for one in demo_profiles()]
    async with issuer.app.session() as db:
        added = await repository.add(db, accounts)
    return sorted(one.email for one in added if one.email)
