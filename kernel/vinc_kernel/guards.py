"""Guards: what a route declares that its caller needs.

Guards are ordinary FastAPI dependencies. The kernel finds them in a route's dependency tree at start, and the
dispatcher runs them before the body is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from .context import Principal, context_of
from .contracts import Capability
from .permissions import Requirement
from .runtime import require_reason, runtime_of


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class Guard(Requirement):
    """A dependency that checks a requirement again: inside a mounted application nothing was checked before."""

    async def __call__(self, request: HTTPConnection) -> Principal | None:
        context = context_of(request)
        await runtime_of(request).authorize(self, context)
        return context.principal


# One object for each meaning: FastAPI classifies callables in a cache of 4,096, which a guard a route would flush.
guard = cache(Guard)


def require_capabilities(*capabilities: Capability) -> Any:
    """Let callers in who have all these capabilities in the active tenant."""
    require_names("require_capabilities", capabilities)
    return Depends(guard(capabilities=frozenset(map(str, capabilities)), tenant=True))


def require_roles(*roles: str) -> Any:
    """Let callers in who have one of these roles."""
    require_names("require_roles", roles)
    return Depends(guard(roles=(frozenset(roles),)))


def require_names(guard: str, names: Sequence[str]) -> None:
    """Raise TypeError for a guard without names: an empty guard would admit everybody who is signed in."""
    if not names:
        raise TypeError(f"{guard}() needs at least one name; use signed_in for everybody who is signed in")


signed_in: Any = Depends(guard())
# For routes that open `app.platform_session` themselves.
platform_only: Any = Depends(guard(platform=True))


def public(why: str) -> Any:
    """Let everybody in; the reason is for the review of what this installation shows without a login."""
    return Depends(guard(public=True, why=require_reason("public", why)))
