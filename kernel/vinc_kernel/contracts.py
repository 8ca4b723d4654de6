"""Frozen data that a plugin contributes. Each keeps the line where it was created."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from fastapi import APIRouter

from .database.base import Base
from .settings import Settings
from .tenant_settings import TenantSettings

KERNEL = str(Path(__file__).parent)


def made_at() -> str:
    """Return `file:line` of the nearest frame outside the kernel and generated code."""
    frame = sys._getframe(1)  # noqa: SLF001  inspect.stack() reads source files, 10 ms a frame
    while frame.f_back and (frame.f_code.co_filename.startswith((KERNEL, "<"))):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Capability(str):
    """One verb on one thing, `<plugin>.<verb>`, with the roles that have it by default."""

    __slots__ = ("label", "roles", "where")

    label: str
    roles: frozenset[str]
    where: str

    def __new__(cls, name: str, /, *, title: str, roles: Sequence[str] = ()) -> Self:
        self = super().__new__(cls, name)
        self.label, self.roles, self.where = title, frozenset(roles), made_at()
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A named bundle of capabilities. Of several known ones the highest `rank` counts; `platform` stands above tenants.

    `aliases` are other spellings of the same role; responses use `name`.
    """

    name: str
    title: str
    rank: int
    aliases: Sequence[str] = ()
    platform: bool = False
    where: str = field(default_factory=made_at, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CommandGroup:
    """Commands of one subject: each becomes `vinc <plugin> <name> <function>`."""

    name: str
    commands: Sequence[Callable[..., Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """All data that a plugin adds; its behaviour is in its hooks.

    `provides` names the published protocols (`TenantDirectory`, `PrincipalDirectory`, `MembershipDirectory`) that the
    plugin's lifespan offers by `app.provide(thing, Protocol)`. Each of `commands` becomes `vinc <plugin> <function>`;
    those of a CommandGroup have its name in between.
    `tenant_settings` are for each tenant to set; `optional_for_tenants` lets the plugin be disabled for a tenant.
    """

    routers: Sequence[APIRouter] = ()
    models: Sequence[type[Base]] = ()
    capabilities: Sequence[Capability] = ()
    roles: Sequence[Role] = ()
    provides: Sequence[type] = ()
    settings: type[Settings] | None = None
    tenant_settings: type[TenantSettings] | None = None
    optional_for_tenants: bool = False
    commands: Sequence[Callable[..., Any] | CommandGroup] = ()
    where: str = field(default_factory=made_at, compare=False, repr=False)
