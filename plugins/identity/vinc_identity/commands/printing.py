"""What commands print."""

from __future__ import annotations

from datetime import UTC, datetime

from vinc_kernel import App

from ..directory import administered
from ..schemas import Stored

PENDING = "the identity provider could not be told yet; it will be, and until then no token comes in"


def say(line: str) -> None:
    print(line)  # noqa: T201  it is a command


def say_done(app: App, stored: Stored, what: str) -> None:
    """What was done, and whether the provider knows of it."""
    say(f"{stored.email or stored.name or stored.subject} {stored.id} {what}")
    if stored.provider(administered(app)) == "pending":
        say(PENDING)


def state_of(app: App, stored: Stored) -> str:
    """Whether it may come in, and whether the provider has still to be told: until then no token of it does."""
    is_over = stored.expires_at is not None and stored.expires_at <= datetime.now(UTC)
    state = "disabled" if stored.disabled else "expired" if is_over else "active"
    return f"{state}, pending" if stored.provider(administered(app)) == "pending" else state


def day_of(stored: Stored) -> str:
    return f"{stored.last_seen:%Y-%m-%d %H:%M}" if stored.last_seen else "never"
