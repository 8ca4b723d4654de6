"""What each tenant chooses for itself: its settings in every plugin, and the plugins that are off for it."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Body
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from vinc_kernel import App, Session
from vinc_kernel.rest import IfMatch

from . import repository, service
from .directory import StoredTenants
from .schemas import Choices, SettingsByPlugin, SwitchByPlugin

Fault = dict[str, Any]  # as Pydantic tells it
EMPTY = Body(examples=[{}])  # what fits every installation: which plugins there are, each decides for itself
Settings = Annotated[SettingsByPlugin, EMPTY]
Switches = Annotated[SwitchByPlugin, EMPTY]


def settings(app: App, stored: Choices) -> SettingsByPlugin:
    """The settings of every plugin that has any for tenants; a stored value that fits no more gives its default."""
    return {
        plugin: kind.from_stored(stored.settings.get(plugin, {}))[0].model_dump(mode="json")
        for plugin, kind in app.tenant_settings.items()
    }


def switches(app: App, stored: Choices) -> SwitchByPlugin:
    return {plugin: plugin not in stored.disabled_plugins for plugin in optional(app)}


def optional(app: App) -> list[str]:
    return [plugin for plugin, may_be_off in app.tenant_plugins.items() if may_be_off]


async def set_settings(app: App, db: Session, tenant_id: UUID, expected: IfMatch, given: SettingsByPlugin) -> Choices:
    """Store what fits; raises RequestValidationError. What is stored for plugins that do not run here is kept."""
    refuse([fault for plugin, values in given.items() for fault in faults(app, plugin, values)])
    changed = repository.settings_with(given, known=list(app.tenant_settings))
    return await change(app, db, tenant_id, expected, {"settings": changed})


async def set_switches(app: App, db: Session, tenant_id: UUID, expected: IfMatch, given: SwitchByPlugin) -> Choices:
    """Store which plugins are off; raises RequestValidationError. One that does not run here stays as it is."""
    known = optional(app)
    refuse(
        [fault(plugin, "is no plugin that can be turned off for a tenant") for plugin in given if plugin not in known]
    )
    changed = repository.disabled_plugins_with([plugin for plugin, is_on in given.items() if not is_on], known=known)
    return await change(app, db, tenant_id, expected, {"disabled_plugins": changed})


async def change(app: App, db: Session, tenant_id: UUID, expected: IfMatch, values: Mapping[str, Any]) -> Choices:
    await service.locked(db, tenant_id)
    changed = await repository.change_if(db, tenant_id, expected, values, Choices)
    app.get(StoredTenants).invalidate(db, changed)
    return changed


def faults(app: App, plugin: str, values: Mapping[str, object]) -> list[Fault]:
    """What is wrong with these settings, each with its place in the body."""
    kind = app.tenant_settings.get(plugin)
    if kind is None:
        return [fault(plugin, "is no plugin with settings of tenants")]
    try:
        kind.model_validate(values)
    except ValidationError as error:
        return [{**one, "loc": ("body", plugin, *one["loc"])} for one in error.errors(include_url=False)]
    return []


def fault(plugin: str, message: str) -> Fault:
    return {"type": "unknown_plugin", "loc": ("body", plugin), "msg": message}


def refuse(found: list[Fault]) -> None:
    if found:
        raise RequestValidationError(found)
