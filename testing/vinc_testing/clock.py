"""A clock that a test moves."""

from __future__ import annotations

from datetime import timedelta
from time import time


class Clock:
    """The real time until a test moves it; `app.now()` and the times in tokens follow."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        """Return seconds since 1970."""
        return time() + self.offset

    def advance(self, **by: float) -> None:
        """Move it forward, as `timedelta` takes it: `clock.advance(days=7, minutes=1)`."""
        self.offset += timedelta(**by).total_seconds()
