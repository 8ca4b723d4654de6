"""Note what a plugin's import adds to what all share, and take it back when the plugin is put aside."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import ClassManager

from ..database.base import Base
from .arrange import Plugin


class Traces:
    """What the import of one plugin added to what all share: tables, mapped classes, modules and log handlers."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.tables: set[str] = set()
        self.mapped: set[ClassManager[Any]] = set()
        self.modules: set[str] = set()
        self.handlers: list[logging.Handler] = []

    @contextmanager
    def record(self) -> Iterator[None]:
        tables, mapped, modules = set(Base.metadata.tables), set(managers()), set(sys.modules)
        handlers, level = list(logging.root.handlers), logging.root.level
        try:
            yield
        finally:
            self.tables |= set(Base.metadata.tables) - tables
            self.mapped |= set(managers()) - mapped
            self.modules |= {name for name in set(sys.modules) - modules if self.plugin.owns(name)}
            self.handlers += [handler for handler in logging.root.handlers if handler not in handlers]
            logging.root.setLevel(level)

    def remove(self) -> None:
        """Leave things as if the plugin had never been there."""
        for name in self.tables & set(Base.metadata.tables):
            Base.metadata.remove(Base.metadata.tables[name])
        for manager in self.mapped & set(managers()):
            # A mapper that cannot be configured would fail everybody's first query, and is not forgotten by itself.
            managers().pop(manager)
            Base.registry._dispose_manager_and_mapper(manager)  # noqa: SLF001  dispose() takes all plugins' mappers
        for name in self.modules:
            sys.modules.pop(name, None)
        for handler in self.handlers:
            logging.root.removeHandler(handler)


def managers() -> MutableMapping[ClassManager[Any], Any]:
    """The mapped classes of all plugins, with those whose mapping failed halfway."""
    return Base.registry._managers  # noqa: SLF001  `registry.mappers` raises for a mapping that failed halfway
