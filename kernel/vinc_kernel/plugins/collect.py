"""Import a plugin's module, register it with pluggy, and ask it for its contribution."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import update_wrapper
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pluggy
from fastapi import APIRouter
from pydantic import ValidationError

from ..contracts import Capability, CommandGroup, Contribution, Role
from ..database.base import Base
from ..endpoints import line_of
from ..hookspecs import HOOKS, PROJECT, known_hooks
from ..settings import Settings
from ..tenant_settings import TenantSettings
from .arrange import Plugin

NOT_AWAITED = ("contribute", "lifespan")


def new_manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    specifications: Any = SimpleNamespace(**{name: hook.spec for name, hook in HOOKS.items()})
    manager.add_hookspecs(specifications)
    return manager


def register(plugin: Plugin, manager: pluggy.PluginManager) -> None:
    """Import the plugin's module and register its hooks.

    Raises StartError for a hook that does not exist, and for one that takes other arguments.
    """
    module = import_module(plugin.module)
    for name in dir(module):
        options = manager.parse_hookimpl_opts(module, name)
        if options is None:
            continue
        hook, function = options.get("specname") or name, getattr(module, name)
        if hook not in HOOKS:
            raise plugin.error("import", f"there is no hook {hook!r}", known_hooks(hook), line_of(function))
        if options.get("wrapper") or options.get("hookwrapper"):
            what, cure = f"{name}() wraps the hook {hook!r}", "implement it: each plugin answers for itself"
            raise plugin.error("import", what, cure, line_of(function))
        takes = set(inspect.signature(function).parameters)
        if odd := takes - arguments_of(hook).keys():
            what = f"{name}() takes {', '.join(sorted(odd))}, which the hook {hook!r} does not give"
            cure = f"write it as {hook}({', '.join(arguments_of(hook))})"
            raise plugin.error("import", what, cure, line_of(function))
        if hook not in NOT_AWAITED and not inspect.iscoroutinefunction(inspect.unwrap(function)):
            what = f"{name}() implements the hook {hook!r} and is not awaitable"
            raise plugin.error("import", what, f"write `async def {name}`", line_of(function))
        if hook == "lifespan" and inspect.isgeneratorfunction(inspect.unwrap(function)):
            what, cure = f"{name}() is no async generator", f"write `async def {name}`, and @asynccontextmanager above"
            raise plugin.error("import", what, cure, line_of(function))
        if hook == "lifespan" and inspect.isasyncgenfunction(function):
            what = f"{name}() is no context manager"
            raise plugin.error("import", what, "write @asynccontextmanager above it", line_of(function))
    manager.register(module, name=plugin.name)


def arguments_of(hook: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(HOOKS[hook].spec).parameters


def implementations(manager: pluggy.PluginManager, hook: str, plugin: str) -> list[Callable[..., Any]]:
    """A plugin's implementations of one hook, each taking the hook's argument whether its author wanted it or not.

    They are called one by one, never through pluggy: one that raises must not lose the others' results.
    """
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    return [taking_all(one) for one in caller.get_hookimpls() if one.plugin_name == plugin]


def taking_all(implementation: pluggy.HookImpl) -> Callable[..., Any]:
    function: Callable[..., Any] = implementation.function
    if implementation.argnames:
        return function
    return update_wrapper(lambda *_: function(), function)


def contribution_of(plugin: Plugin, manager: pluggy.PluginManager) -> Contribution:
    """What the plugin contributes; raises StartError for two contributions and for parts of another type."""
    functions = implementations(manager, "contribute", plugin.name)
    if not functions:
        return Contribution(where=plugin.where)
    if len(functions) > 1:
        raise plugin.error("contribute", "it contributes twice", "keep one contribute()", line_of(functions[1]))
    made = functions[0]()
    if not isinstance(made, Contribution):
        what = f"contribute() returns {type(made).__name__}"
        raise plugin.error("contribute", what, "return a Contribution", line_of(functions[0]))
    for name, kind in PARTS.items():
        parts = getattr(made, name)
        if isinstance(parts, str) or not isinstance(parts, Collection):
            what = f"{name} is no list but {type(parts).__name__}"
            raise plugin.error("contribute", what, "write a list", made.where)
        if odd := [part for part in parts if not kind(part)]:
            what = f"{named(odd[0])} is no part of {name}"
            raise plugin.error("contribute", what, f"see Contribution.{name}", made.where)
    if made.settings is not None and not is_class(made.settings, Settings):
        what, cure = "settings is no class of Settings", "subclass vinc_kernel.Settings"
        raise plugin.error("contribute", what, cure, made.where)
    if made.tenant_settings is not None:
        refuse_unset(plugin, made.tenant_settings, made.where)
    return made


def refuse_unset(plugin: Plugin, kind: type, where: str) -> None:
    """Raise StartError for tenant settings that a tenant which has set nothing would not have."""
    if not is_class(kind, TenantSettings):
        what, cure = "tenant_settings is no class of TenantSettings", "subclass vinc_kernel.TenantSettings"
        raise plugin.error("contribute", what, cure, where)
    try:
        kind()
    except ValidationError as error:
        fields = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        what = f"{kind.__name__} has no valid default for {', '.join(fields) or 'all of its fields together'}"
        cure = "give it one, for tenants that have set nothing"
        raise plugin.error("contribute", what, cure, line_of(kind)) from None


def named(part: object) -> str:
    """What a part is, without its value: that may be a secret."""
    return f"class {part.__name__}" if isinstance(part, type) else type(part).__name__


def is_class(part: object, base: type) -> bool:
    return isinstance(part, type) and issubclass(part, base)


PARTS: dict[str, Callable[[object], bool]] = {
    "routers": lambda part: isinstance(part, APIRouter),
    "models": lambda part: is_class(part, Base) and hasattr(part, "__table__"),
    "capabilities": lambda part: isinstance(part, Capability),
    "roles": lambda part: isinstance(part, Role),
    "provides": lambda part: isinstance(part, type),
    "commands": lambda part: callable(part) or isinstance(part, CommandGroup),
}
