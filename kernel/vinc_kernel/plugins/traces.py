"""Note what plugins add to what all share, and take it back when a plugin is put aside.

What a class or module belongs to is told by its name, not by who was being loaded: a plugin may import another's
modules, and a thread that it left may declare a table while the next one is loaded.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import ClassManager

from ..database.base import Base
from .arrange import Plugin
from .process import Process


class Traces:
    """What one plugin added to what all share: tables, mapped classes, modules, and changes of the process."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.tables: set[str] = set()
        self.mapped: set[ClassManager[Any]] = set()
        self.modules: set[str] = set()
        self.changes: list[tuple[Process, Process]] = []

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
        while self.changes:
            before, after = self.changes.pop()
            before.restore(after)
        for noted in (self.tables, self.mapped, self.modules):
            noted.clear()  # from now on the names are others' to take


class Ledger:
    """The traces of all plugins of one assembly; each new thing is entered once, with whom it belongs to."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.of = {plugin.name: Traces(plugin) for plugin in plugins}
        self.packages = {traces.plugin.package: traces for traces in self.of.values()}
        self.tables, self.mapped, self.modules = set(Base.metadata.tables), set(managers()), set(sys.modules)

    @contextmanager
    def record(self, plugin: Plugin) -> Iterator[None]:
        """Note what the plugin's code does; the root logger's level is put back even when all goes well."""
        traces, before = self.of[plugin.name], Process.now()
        try:
            yield
        finally:
            traces.changes.append((before, Process.now()))
            logging.root.setLevel(before.loggers[logging.root][0])
            self.enter(traces)

    def enter(self, recorded: Traces | None = None) -> None:
        """Enter what is new; what bears no plugin's name is of the plugin whose code was running, or of nobody."""
        arrived = set()
        for name in set(sys.modules) - self.modules:
            if owner := self.owner(name, recorded):
                owner.modules.add(name)
                arrived.add(owner.plugin.name)
        declared: dict[str, Traces | None] = {}
        for manager in set(managers()) - self.mapped:
            owner = self.owner(str(manager.class_.__module__), recorded) or recorded
            if owner:
                owner.mapped.add(manager)
            declared[str(manager.class_.__dict__.get("__table__"))] = owner
        for table in set(Base.metadata.tables) - self.tables:
            # A table without a class has no module: its name counts, if that plugin's modules have just come.
            name = table.partition("_")[0]
            unmapped = self.of[name] if name in arrived else recorded
            if owner := declared.get(table, unmapped):
                owner.tables.add(table)
        self.tables, self.mapped, self.modules = set(Base.metadata.tables), set(managers()), set(sys.modules)

    def owner(self, module: str, recorded: Traces | None) -> Traces | None:
        """The traces of the plugin in whose package a module is; of two nested packages the inner one."""
        while module:
            if recorded and recorded.plugin.package == module:  # which another plugin may have as well
                return recorded
            if module in self.packages:
                return self.packages[module]
            module = module.rpartition(".")[0]
        return None


def managers() -> MutableMapping[ClassManager[Any], Any]:
    """The mapped classes of all plugins, with those whose mapping failed halfway."""
    return Base.registry._managers  # noqa: SLF001  `registry.mappers` raises for a mapping that failed halfway
