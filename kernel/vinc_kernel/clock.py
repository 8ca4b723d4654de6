"""The clock of an application; a test passes another one."""

from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since 1970, as `time.time` does."""
