"""What time it is; a test passes another clock."""

from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since 1970, as `time.time` does."""
