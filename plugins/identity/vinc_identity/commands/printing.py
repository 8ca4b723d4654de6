"""The output of commands."""

from __future__ import annotations

from vinc_kernel import App

from ..directory import get_managed_issuer
from ..schemas import StoredPrincipal

PENDING = "the identity provider could not be updated yet; this is retried, and until then all tokens are refused"


def print_change(app: App, principal: StoredPrincipal, change: str) -> None:
    """Print what has changed, and whether the provider has applied it."""
    print(f"{principal.email or principal.name or principal.subject} {principal.id} {change}")
    if principal.provider_state(get_managed_issuer(app)) == "pending":
        print(PENDING)


def format_state(app: App, principal: StoredPrincipal) -> str:
    """Return whether it is active, and `pending` while the provider has not applied a change."""
    is_expired = principal.expires_at is not None and principal.expires_at <= app.now()
    state = "disabled" if principal.disabled else "expired" if is_expired else "active"
    return f"{state}, pending" if principal.provider_state(get_managed_issuer(app)) == "pending" else state


def format_last_seen(principal: StoredPrincipal) -> str:
    return f"{principal.last_seen:%Y-%m-%d %H:%M}" if principal.last_seen else "never"
