"""What commands print."""

from __future__ import annotations

from collections.abc import Sequence

from vinc_kernel import App

from ..directory import administered
from ..schemas import Stored

PENDING = "the identity provider could not be told yet; it will be, and until then no token comes in"


def say(line: str) -> None:
    print(line)  # noqa: T201  it is a command


def say_columns(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as their longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say_done(app: App, stored: Stored, what: str) -> None:
    """What was done, and whether the provider knows of it."""
    say(f"{stored.email or stored.name or stored.subject} {stored.id} {what}")
    if stored.provider(administered(app)) == "pending":
        say(PENDING)


def state_of(stored: Stored) -> str:
    return "disabled" if stored.disabled else "enabled"


def day_of(stored: Stored) -> str:
    return f"{stored.last_seen:%Y-%m-%d %H:%M}" if stored.last_seen else "never"
