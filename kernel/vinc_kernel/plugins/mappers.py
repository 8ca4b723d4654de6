"""Configure all mappers before the first query does, which a single wrong one would fail, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Mapper, configure_mappers

from ..endpoints import class_line
from ..errors import StartError
from .assembly import Assembly, LoadedPlugin, LoadOptions
from .load import bounded, innermost_line, to_start_error

CURE = "take the work out of the models, or raise VINC_PLUGIN_LOAD_TIMEOUT"


def configure_all_mappers(assembly: Assembly, options: LoadOptions) -> None:
    """Configure the mappers of all plugins; the one whose code raised, or whose class it was, has failed."""
    if not assembly.ready:
        return
    with noting_classes(assembly, options) as classes:
        try:
            bounded(assembly.ready[0].plugin, "check", options.seconds, configure_mappers)
        except StartError as error:
            cause = error.__cause__
            owner = owner_of(assembly, cause, classes)
            where = class_line(classes[-1]) if classes else owner.plugin.where
            if cause is None:
                late = StartError(error.what, plugin=owner.plugin.name, phase="check", where=where, cure=CURE)
            owner.error = owner.error or (to_start_error(owner.plugin, "check", cause, where) if cause else late)


@contextmanager
def noting_classes(assembly: Assembly, options: LoadOptions) -> Iterator[list[type]]:
    """The classes whose mappers are being configured, as they come; each is reported with its plugin."""
    classes: list[type] = []

    def note(_: Mapper[Any], cls: type) -> None:
        classes.append(cls)
        if options.is_trial and (owner := assembly.owner_of(cls.__module__)):
            options.report(owner.plugin.name, "check")

    event.listen(Mapper, "before_mapper_configured", note)
    try:
        yield classes
    finally:
        event.remove(Mapper, "before_mapper_configured", note)


def owner_of(assembly: Assembly, cause: BaseException | None, classes: list[type]) -> LoadedPlugin:
    """Whose code raised; else whose class was being mapped; else the first with tables."""
    if cause is not None and (
        raising := next((one for one in assembly.members if innermost_line(one.plugin, cause)), None)
    ):
        return raising
    owner = assembly.owner_of(classes[-1].__module__) if classes else None
    return owner or next((one for one in assembly.ready if one.tables), assembly.ready[0])
