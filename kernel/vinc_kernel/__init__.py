"""What a plugin may import; docs/plugins.md explains each name. The rest of this package may change any day.

A name is fetched when it is first asked for: FastAPI and SQLAlchemy, which stand behind some, take most of a second to
import, and `vinc plugins` needs neither.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from . import hookspecs as hooks
    from .cache.cache import Cache
    from .commands.command import print_table
    from .context import (
        Context,
        MembershipDirectory,
        Principal,
        PrincipalDirectory,
        Tenant,
        TenantDirectory,
    )
    from .contracts import Capability, CommandGroup, Contribution, Role
    from .database.base import Base
    from .database.platform_owned import PlatformOwned
    from .database.tenant_owned import TenantOwned
    from .dependencies import (
        CurrentApp,
        CurrentContext,
        CurrentPrincipal,
        CurrentTenant,
        current_principal,
        get_tenant_id,
        inject,
    )
    from .errors import (
        BadRequest,
        Conflict,
        Forbidden,
        NotFound,
        Problem,
        StartError,
        Unauthorized,
        VincError,
    )
    from .events import Event
    from .guards import platform_only, public, require_capabilities, require_roles, signed_in
    from .registry import HealthCheck
    from .runtime import App
    from .sessions import OrmSession, Session, platform_session, tenant_or_platform
    from .setting_types import is_tls_or_loopback
    from .settings import Settings
    from .telemetry import logger
    from .tenant_settings import TenantSettings
    from .tokens.issuer import Issuer, SignIn

__all__ = [
    "App",
    "BadRequest",
    "Base",
    "Cache",
    "Capability",
    "CommandGroup",
    "Conflict",
    "Context",
    "Contribution",
    "CurrentApp",
    "CurrentContext",
    "CurrentPrincipal",
    "CurrentTenant",
    "Event",
    "Forbidden",
    "HealthCheck",
    "Issuer",
    "MembershipDirectory",
    "NotFound",
    "OrmSession",
    "PlatformOwned",
    "Principal",
    "PrincipalDirectory",
    "Problem",
    "Role",
    "Session",
    "Settings",
    "SignIn",
    "StartError",
    "Tenant",
    "TenantDirectory",
    "TenantOwned",
    "TenantSettings",
    "Unauthorized",
    "VincError",
    "current_principal",
    "get_tenant_id",
    "hooks",
    "inject",
    "is_tls_or_loopback",
    "logger",
    "platform_only",
    "platform_session",
    "print_table",
    "public",
    "require_capabilities",
    "require_roles",
    "signed_in",
    "tenant_or_platform",
]

_HOMES = {
    ".cache.cache": ("Cache",),
    ".commands.command": ("print_table",),
    ".context": ("Context", "MembershipDirectory", "Principal", "PrincipalDirectory", "Tenant", "TenantDirectory"),
    ".contracts": ("Capability", "CommandGroup", "Contribution", "Role"),
    ".database.base": ("Base",),
    ".database.platform_owned": ("PlatformOwned",),
    ".database.tenant_owned": ("TenantOwned",),
    ".dependencies": (
        "CurrentApp",
        "CurrentContext",
        "CurrentPrincipal",
        "CurrentTenant",
        "current_principal",
        "get_tenant_id",
        "inject",
    ),
    ".errors": (
        "BadRequest",
        "Conflict",
        "Forbidden",
        "NotFound",
        "Problem",
        "StartError",
        "Unauthorized",
        "VincError",
    ),
    ".events": ("Event",),
    ".guards": ("platform_only", "public", "require_capabilities", "require_roles", "signed_in"),
    ".registry": ("HealthCheck",),
    ".runtime": ("App",),
    ".sessions": ("OrmSession", "Session", "platform_session", "tenant_or_platform"),
    ".setting_types": ("is_tls_or_loopback",),
    ".settings": ("Settings",),
    ".telemetry": ("logger",),
    ".tenant_settings": ("TenantSettings",),
    ".tokens.issuer": ("Issuer", "SignIn"),
}


if not typing.TYPE_CHECKING:  # a type checker shall find a misspelt name

    def __getattr__(name: str) -> typing.Any:
        if name == "hooks":
            return importlib.import_module(".hookspecs", __name__)
        for home, names in _HOMES.items():
            if name in names:
                thing = globals()[name] = getattr(importlib.import_module(home, __name__), name)
                return thing
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
