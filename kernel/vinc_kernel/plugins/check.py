"""Check all contributions as a whole: names have owners, nobody takes another's, and what is asked for is declared."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from ..context import MembershipDirectory, PrincipalDirectory, TenantDirectory
from ..contracts import CommandGroup, Contribution
from ..database.base import Base
from ..endpoints import Endpoint, class_line, line_of, overlap
from ..errors import StartError
from .arrange import Plugin

DIRECTORIES = (TenantDirectory, PrincipalDirectory, MembershipDirectory)


@dataclass(frozen=True, slots=True)
class Claim:
    """A name that belongs to one plugin, and the line that claims it."""

    kind: str
    name: str
    where: str


Claimed = tuple[Plugin, Claim]


def conflicts(shared: Iterable[Sequence[Claimed]]) -> dict[str, StartError]:
    """By plugin, the first name that it shares with another; a required one keeps its names against optional ones.

    Whatever the order of plugins, the outcome is the same: of two equals neither wins.
    """
    errors: dict[str, StartError] = {}
    for sharing in shared:
        required = [plugin for plugin, _ in sharing if plugin.required]
        for plugin, claim in sharing:
            if plugin in required and len(required) == 1:
                continue
            other, theirs = next(one for one in sharing if one[1] is not claim)
            whose = "twice its own" if other is plugin else f"{other.name}'s as well"
            what = f"the {claim.kind} {claim.name} is {whose}, at {theirs.where}"
            if claim.name != theirs.name:
                what = f"the {claim.kind} {claim.name} takes paths of {other.name}'s {theirs.name}, at {theirs.where}"
            errors.setdefault(plugin.name, plugin.error("check", what, "rename one of them", claim.where))
    return errors


def shared_names(claimed: Iterable[Claimed]) -> Iterator[Sequence[Claimed]]:
    """Each name that is claimed more than once, with all its claims."""
    owners: dict[tuple[str, str], list[Claimed]] = defaultdict(list)
    for plugin, claim in claimed:
        owners[claim.kind, claim.name].append((plugin, claim))
    return (sharing for sharing in owners.values() if len(sharing) > 1)


def shared_paths(placed: Iterable[tuple[Plugin, Sequence[Endpoint]]], prefix: str) -> Iterator[Sequence[Claimed]]:
    """Each pair of routes of two plugins that one request could fit: the guards of only one would be asked."""
    plugins: dict[str, list[tuple[Plugin, list[Endpoint]]]] = defaultdict(list)
    for plugin, endpoints in placed:
        below: dict[str, list[Endpoint]] = defaultdict(list)
        for endpoint in endpoints:  # every path begins with a literal segment, so only those with the same one can meet
            below[endpoint.path.removeprefix(prefix).split("/")[1]].append(endpoint)
        for segment, ours in below.items():
            plugins[segment].append((plugin, ours))
    for sharing in plugins.values():
        for (plugin, ours), (other, theirs) in combinations(sharing, 2):
            for one, two in product(ours, theirs):
                if (methods := one.methods & two.methods) and overlap(one.path, two.path):
                    yield (plugin, route_claim(one, min(methods))), (other, route_claim(two, min(methods)))


def route_claim(endpoint: Endpoint, method: str) -> Claim:
    return Claim("route", f"{method} {endpoint.shape}", endpoint.where)


def claims_of(plugin: Plugin, made: Contribution, endpoints: Iterable[Endpoint]) -> Iterator[Claim]:
    """Everything that this plugin takes for itself; raises StartError for what cannot be its own."""
    for endpoint in endpoints:
        for method in sorted(endpoint.methods):
            yield route_claim(endpoint, method)
    for model in made.models:
        yield Claim("table", str(model.__table__), class_line(model))
    for capability in made.capabilities:
        name = own(plugin, "capability", str(capability), f"{plugin.name}.", capability.where)
        yield Claim("capability", name, capability.where)
    for role in made.roles:
        for name in (role.name, *role.aliases):
            yield Claim("role", name, role.where)
    for protocol in made.provides:
        if protocol not in DIRECTORIES:
            known = ", ".join(directory.__name__ for directory in DIRECTORIES)
            raise plugin.error("check", f"provides names {protocol.__name__}", f"it may name {known}", made.where)
        yield Claim("directory", protocol.__name__, made.where)
    for words, command in commands_of(made):
        yield Claim("command", " ".join((plugin.name, *words)), line_of(command))


def refuse_tables(plugin: Plugin, made: Contribution, tables: set[str]) -> None:
    """Raise StartError for a table that came with the plugin and is not named after it, or not contributed."""
    beginning = f"{plugin.name}_"
    if foreign := {table for table in tables if not table.startswith(beginning) or table == beginning}:
        own(plugin, "table", min(foreign), beginning, table_line(min(foreign)) or plugin.where)
    if forgotten := tables - {str(model.__table__) for model in made.models}:
        what = f"the table {min(forgotten)!r} is declared and not contributed"
        where = table_line(min(forgotten)) or made.where
        raise plugin.error("check", what, "add its model to Contribution(models=...)", where)


def refuse_variadic(plugin: Plugin, made: Contribution) -> None:
    """Raise StartError for a command with `*args` or `**kwargs`: each argument of a command line is one value."""
    for words, command in commands_of(made):
        for one in inspect.signature(command).parameters.values():
            if one.kind in {one.VAR_POSITIONAL, one.VAR_KEYWORD}:
                taken = one.replace(annotation=one.empty)
                what = f"the command {' '.join(words)} takes {taken}, and an argument is one value"
                raise plugin.error("check", what, "name each argument", line_of(command))


def table_line(table: str) -> str:
    """`file:line` of the class that declares a table; empty for a table without one."""
    cls = table_class(table)
    return class_line(cls) if cls else ""


def table_class(table: str) -> type | None:
    """The class that declares a table; also one whose mapping failed, which no registry tells of."""
    classes: list[type] = [Base]
    while classes:
        cls = classes.pop()
        if str(vars(cls).get("__table__", "")) == table:
            return cls
        classes += cls.__subclasses__()
    return None


def commands_of(made: Contribution) -> Iterator[tuple[tuple[str, ...], Callable[..., Any]]]:
    """Every command with the words that call it, after those of the plugin."""
    for part in made.commands:
        if isinstance(part, CommandGroup):
            for command in part.commands:
                yield (part.name, command_name(command)), command
        else:
            yield (command_name(part),), part


def command_name(command: object) -> str:
    return str(getattr(command, "__name__", type(command).__name__)).replace("_", "-")


def own(plugin: Plugin, kind: str, name: str, beginning: str, where: str) -> str:
    if not name.startswith(beginning) or name == beginning:
        cure = f"begin its name with {beginning!r}"
        raise plugin.error("check", f"the {kind} {name!r} is not this plugin's", cure, where)
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What all plugins together contribute that routes may ask for."""

    capabilities: frozenset[str]
    roles: frozenset[str]
    directories: frozenset[type]
    tenant_settings: frozenset[type]

    @classmethod
    def of(cls, contributions: Sequence[Contribution]) -> Declared:
        return cls(
            capabilities=frozenset(str(one) for made in contributions for one in made.capabilities),
            roles=frozenset(
                name for made in contributions for role in made.roles for name in (role.name, *role.aliases)
            ),
            directories=frozenset(protocol for made in contributions for protocol in made.provides),
            tenant_settings=frozenset(made.tenant_settings for made in contributions if made.tenant_settings),
        )


def refuse_undeclared(plugin: Plugin, endpoints: Iterable[Endpoint], declared: Declared) -> None:
    """Raise StartError for a route that asks for something that nobody contributes."""
    for endpoint in endpoints:
        needs = endpoint.requirement
        if needs.tenant and TenantDirectory not in declared.directories:
            what = f"{endpoint.path} works in a tenant, and no plugin provides a TenantDirectory"
            raise plugin.error("check", what, "install and enable one that does, like vinc-tenants", endpoint.where)
        if foreign := {kind.__name__ for kind in needs.settings - declared.tenant_settings}:
            what = f"{endpoint.path} reads the tenant settings {min(foreign)}, which nobody declares"
            raise plugin.error("check", what, "add it to Contribution(tenant_settings=...)", endpoint.where)
        if unknown := needs.capabilities - declared.capabilities:
            what = f"{endpoint.path} asks for the capability {min(unknown)!r}, which nobody contributes"
            raise plugin.error("check", what, "add it to Contribution(capabilities=...)", endpoint.where)
        if unknown := frozenset().union(*needs.roles) - declared.roles:
            what = f"{endpoint.path} asks for the role {min(unknown)!r}, which nobody contributes"
            cure = "add it to Contribution(roles=...), or install its plugin"
            raise plugin.error("check", what, cure, endpoint.where)
