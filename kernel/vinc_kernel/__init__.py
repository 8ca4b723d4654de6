"""What a plugin may import; docs/plugins.md explains each name. The rest of this package may change any day."""

from . import hookspecs as hooks
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
from .guards import public, require_capabilities, require_roles, signed_in
from .services import App, Check, provided
from .sessions import OrmSession, Session
from .settings import Settings
from .telemetry import logger

__all__ = [
    "App",
    "BadRequest",
    "Base",
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
    "Unauthorized",
    "VincError",
    "current_principal",
    "get_tenant_id",
    "hooks",
    "logger",
    "provided",
    "public",
    "require_capabilities",
    "require_roles",
    "signed_in",
]
