"""Configure all plugins' mappers before the first query does, and find whose mapping fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Mapper

from ..database.base import Base
from ..endpoints import class_line
from ..errors import StartError
from .arrange import Plugin
from .load import bounded, failure, innermost
from .traces import Ledger

CURE = "take the work out of the models, or raise VINC_PLUGIN_LOAD_TIMEOUT"


def failed_mapping(ledger: Ledger, seconds: float) -> StartError | None:
    """What the first mapping that fails says, told of the plugin that it belongs to; None when all are good."""
    declaring = [traces for traces in ledger.of.values() if traces.mapped]
    if not declaring or not Base.registry._new_mappers:  # noqa: SLF001  nothing is new: not even a thread is needed
        return None
    some = declaring[0].plugin
    with noted() as classes:
        try:
            bounded(some, "check", seconds, Base.registry.configure)
        except StartError as error:
            cause = error.__cause__
            owner = owner_of(ledger, cause, classes) or some
            where = class_line(classes[-1]) if classes else owner.where
            if cause is not None:
                return failure(owner, "check", cause, where)
            if not classes:  # nobody to put aside, and it would hang the first query
                among = ", ".join(traces.plugin.name for traces in declaring)
                raise StartError(
                    error.what, plugin=f"one of {among}", phase="check", where="mappers", cure=CURE
                ) from None
            return StartError(error.what, plugin=owner.name, phase="check", where=where, cure=CURE)
    return None


@contextmanager
def noted() -> Iterator[list[type]]:
    """The classes whose mappers are being configured, as they come."""
    classes: list[type] = []

    def note(_: Mapper[Any], cls: type) -> None:
        classes.append(cls)

    event.listen(Mapper, "before_mapper_configured", note)
    try:
        yield classes
    finally:
        event.remove(Mapper, "before_mapper_configured", note)


def owner_of(ledger: Ledger, cause: BaseException | None, classes: list[type]) -> Plugin | None:
    """Whose code raised; else whose class was being mapped."""
    plugins = [traces.plugin for traces in ledger.of.values()]
    if cause is not None and (raising := next((one for one in plugins if innermost(one, cause)), None)):
        return raising
    last = classes[-1] if classes else None
    mapping = (one for one in ledger.of.values() if any(manager.class_ is last for manager in one.mapped))
    return next((one.plugin for one in mapping), None)
