"""What each tenant chooses for itself: its settings in every plugin, and the plugins that are off for it."""

import json
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

ErrorDetails = dict[str, Any]  # as in Pydantic's ValidationError.errors()
EMPTY = Body(examples=[{}])  # the only example that fits every installation, whatever plugins it has
Settings = Annotated[SettingsByPlugin, EMPTY]
Switches = Annotated[SwitchByPlugin, EMPTY]


def read_settings(app: App, stored: Choices) -> SettingsByPlugin:
    """Return the tenant's settings in every plugin; a stored value that is no longer valid has its default."""
    return {
        plugin: kind.from_stored(stored.settings.get(plugin, {}))[0].model_dump(mode="json")
        for plugin, kind in app.tenant_settings.items()
    }


def read_switches(app: App, stored: Choices) -> SwitchByPlugin:
    return {plugin: plugin not in stored.disabled_plugins for plugin in optional_plugins(app)}


def optional_plugins(app: App) -> list[str]:
    return [plugin for plugin, is_optional in app.tenant_plugins.items() if is_optional]


async def write_settings(
    app: App, db: Session, tenant_id: UUID, expected: IfMatch, settings: SettingsByPlugin
) -> Choices:
    """Store the settings; raises RequestValidationError. Those of plugins that do not run here are kept."""
    raise_errors([error for plugin, values in settings.items() for error in validate_settings(app, plugin, values)])
    value = repository.merge_settings(settings, plugins=list(app.tenant_settings))
    return await update(app, db, tenant_id, expected, {"settings": value})


async def write_switches(
    app: App, db: Session, tenant_id: UUID, expected: IfMatch, switches: SwitchByPlugin
) -> Choices:
    """Store which plugins are off; raises RequestValidationError. Those that do not run here are kept."""
    plugins = optional_plugins(app)
    unknown = [plugin for plugin in switches if plugin not in plugins]
    raise_errors([error_of(plugin, "is no plugin that can be turned off for a tenant") for plugin in unknown])
    off = [plugin for plugin, is_on in switches.items() if not is_on]
    value = repository.merge_disabled_plugins(off, plugins=plugins)
    return await update(app, db, tenant_id, expected, {"disabled_plugins": value})


async def update(app: App, db: Session, tenant_id: UUID, expected: IfMatch, values: Mapping[str, Any]) -> Choices:
    await service.lock_tenant(db, tenant_id)
    choices = await repository.update_if_match(db, tenant_id, expected, values, Choices)
    app.get(StoredTenants).invalidate(db, choices)
    return choices


def validate_settings(app: App, plugin: str, values: Mapping[str, object]) -> list[ErrorDetails]:
    """Return what is wrong with these settings, each with its location in the body."""
    kind = app.tenant_settings.get(plugin)
    if kind is None:
        return [error_of(plugin, "is no plugin with settings of tenants")]
    try:
        sent, stored = (kind.model_validate(one) for one in (values, json.loads(json.dumps(values))))
    except ValidationError as error:
        return [{**one, "loc": ("body", plugin, *one["loc"])} for one in error.errors(include_url=False)]
    if sent != stored:
        return [error_of(plugin, "has a number with more digits than JSON keeps: send it as text", "exact")]
    return []


def error_of(plugin: str, message: str, code: str = "unknown_plugin") -> ErrorDetails:
    return {"type": code, "loc": ("body", plugin), "msg": message}


def raise_errors(errors: list[ErrorDetails]) -> None:
    if errors:
        raise RequestValidationError(errors)
