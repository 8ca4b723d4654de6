"""What a plugin may import; docs/plugins.md explains each name. The rest of this package may change any day.

A name is imported when it is first used: FastAPI and SQLAlchemy, which some need, take most of a second to import, and
`vinc plugins` needs neither.
"""

import importlib
import typing

_HOMES = {
    ".cache.cache": "Cache",
    ".commands.command": "print_table",
    ".context": "Context MembershipDirectory Principal PrincipalDirectory Tenant TenantDirectory",
    ".contracts": "Capability CommandGroup Contribution Role",
    ".database.base": "Base PlatformOwned TenantOwned",
    ".dependencies": "CurrentApp CurrentContext CurrentPrincipal CurrentTenant current_principal get_tenant_id inject",
    ".errors": "BadRequest Conflict Forbidden NotFound Problem StartError Unauthorized VincError",
    ".events": "Event",
    ".guards": "platform_only public require_capabilities require_roles signed_in",
    ".registry": "HealthCheck",
    ".runtime": "App",
    ".sessions": "OrmSession Session platform_session tenant_or_platform",
    ".setting_types": "is_tls_or_loopback",
    ".settings": "Settings",
    ".telemetry": "logger",
    ".tenant_settings": "TenantSettings",
    ".tokens.issuer": "Issuer SignIn",
}
__all__ = [*sorted(["hooks", *(name for names in _HOMES.values() for name in names.split())])]  # noqa: PLE0604  all are

if typing.TYPE_CHECKING:
    from . import hookspecs as hooks  # noqa: F401  a name of the contract, like those below
    from .cache.cache import Cache as Cache
    from .commands.command import print_table as print_table
    from .context import Context as Context
    from .context import MembershipDirectory as MembershipDirectory
    from .context import Principal as Principal
    from .context import PrincipalDirectory as PrincipalDirectory
    from .context import Tenant as Tenant
    from .context import TenantDirectory as TenantDirectory
    from .contracts import Capability as Capability
    from .contracts import CommandGroup as CommandGroup
    from .contracts import Contribution as Contribution
    from .contracts import Role as Role
    from .database.base import Base as Base
    from .database.base import PlatformOwned as PlatformOwned
    from .database.base import TenantOwned as TenantOwned
    from .dependencies import CurrentApp as CurrentApp
    from .dependencies import CurrentContext as CurrentContext
    from .dependencies import CurrentPrincipal as CurrentPrincipal
    from .dependencies import CurrentTenant as CurrentTenant
    from .dependencies import current_principal as current_principal
    from .dependencies import get_tenant_id as get_tenant_id
    from .dependencies import inject as inject
    from .errors import BadRequest as BadRequest
    from .errors import Conflict as Conflict
    from .errors import Forbidden as Forbidden
    from .errors import NotFound as NotFound
    from .errors import Problem as Problem
    from .errors import StartError as StartError
    from .errors import Unauthorized as Unauthorized
    from .errors import VincError as VincError
    from .events import Event as Event
    from .guards import platform_only as platform_only
    from .guards import public as public
    from .guards import require_capabilities as require_capabilities
    from .guards import require_roles as require_roles
    from .guards import signed_in as signed_in
    from .registry import HealthCheck as HealthCheck
    from .runtime import App as App
    from .sessions import OrmSession as OrmSession
    from .sessions import Session as Session
    from .sessions import platform_session as platform_session
    from .sessions import tenant_or_platform as tenant_or_platform
    from .setting_types import is_tls_or_loopback as is_tls_or_loopback
    from .settings import Settings as Settings
    from .telemetry import logger as logger
    from .tenant_settings import TenantSettings as TenantSettings
    from .tokens.issuer import Issuer as Issuer
    from .tokens.issuer import SignIn as SignIn
else:  # a type checker finds a misspelt name

    def __getattr__(name: str) -> typing.Any:
        if name == "hooks":
            return importlib.import_module(".hookspecs", __name__)
        for home, names in _HOMES.items():
            if name in names.split():
                thing = globals()[name] = getattr(importlib.import_module(home, __name__), name)
                return thing
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
