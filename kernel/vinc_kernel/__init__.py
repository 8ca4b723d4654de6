"""What a plugin may import; docs/plugins.md explains each name. The rest of this package may change any day."""

from . import hookspecs as hooks
from .changes.cached import Cached
from .context import (
    Context,
    MembershipDirectory,
    Principal,
    PrincipalDirectory,
    Tenant,
    TenantDirectory,
    current_principal,
    get_tenant_id,
)
from .contracts import Capability, Contribution, Role
from .database.base import Base
from .database.tenant_owned import TenantOwned
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
from .guards import platform_only, public, require_capabilities, require_roles, signed_in
from .services import App, Check, provided
from .sessions import OrmSession, Session, platform_session
from .settings import Settings
from .telemetry import logger
from .tenant_settings import TenantSettings

__all__ = [
    "App",
    "BadRequest",
    "Base",
    "Cached",
    "Capability",
    "Check",
    "Conflict",
    "Context",
    "Contribution",
    "Forbidden",
    "MembershipDirectory",
    "NotFound",
    "OrmSession",
    "Principal",
    "PrincipalDirectory",
    "Problem",
    "Role",
    "Session",
    "Settings",
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
    "logger",
    "platform_only",
    "platform_session",
    "provided",
    "public",
    "require_capabilities",
    "require_roles",
    "signed_in",
]
