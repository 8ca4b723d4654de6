"""Note what an import changes in the process that all plugins share, and undo it when the plugin is put aside."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Process:
    """What an import may change: environment, import path, warnings' filters, recursion limit, and logging."""

    environ: dict[str, str]
    path: list[str]
    filters: list[Any]
    recursion: int
    disabled: int
    loggers: dict[logging.Logger, tuple[int, bool, bool, list[logging.Handler], list[Any]]]

    @classmethod
    def now(cls) -> Process:
        known = [one for one in list(logging.root.manager.loggerDict.values()) if isinstance(one, logging.Logger)]
        return cls(
            environ=dict(os.environ),
            path=list(sys.path),
            filters=list(warnings.filters),
            recursion=sys.getrecursionlimit(),
            disabled=logging.root.manager.disable,
            loggers={
                one: (one.level, one.disabled, one.propagate, list(one.handlers), list(one.filters))
                for one in (logging.root, *known)
            },
        )

    def restore(self, after: Process) -> None:
        """Undo what happened between this and `after`; what somebody else has changed since stays as it is."""
        for key in self.environ.keys() | after.environ.keys():
            before, then = self.environ.get(key), after.environ.get(key)
            if before != then == os.environ.get(key):
                os.environ.pop(key, None)
                if before is not None:
                    os.environ[key] = before
        restore_list(sys.path, self.path, after.path)
        filters: Any = warnings.filters  # typed as one that cannot be changed, which it is made for
        restore_list(filters, self.filters, after.filters)
        if self.recursion != after.recursion == sys.getrecursionlimit():
            sys.setrecursionlimit(self.recursion)
        if self.disabled != after.disabled == logging.root.manager.disable:
            logging.disable(self.disabled)
        for logger in self.loggers.keys() & after.loggers.keys():
            if self.loggers[logger] != after.loggers[logger]:
                self.restore_logger(logger, after)

    def restore_logger(self, logger: logging.Logger, after: Process) -> None:
        level, disabled, propagate, handlers, filters = self.loggers[logger]
        then = after.loggers[logger]
        if level != then[0] == logger.level:
            logger.setLevel(level)
        if disabled != then[1] == logger.disabled:
            logger.disabled = disabled
        if propagate != then[2] == logger.propagate:
            logger.propagate = propagate
        restore_list(logger.handlers, handlers, then[3])
        restore_list(logger.filters, filters, then[4])


def restore_list(now: list[T], before: list[T], after: list[T]) -> None:
    """Undo in place what made `after` of `before`, with what has come since left where it is."""
    if before == after:
        return
    if now == after:
        now[:] = before
        return
    now[:] = [one for one in before if one not in after] + [one for one in now if one in before or one not in after]
