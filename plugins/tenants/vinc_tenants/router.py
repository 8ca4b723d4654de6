"""The routes of tenants: for everybody, for a tenant's members, and for the platform."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from vinc_kernel import (
    CurrentApp,
    CurrentPrincipal,
    CurrentTenant,
    Session,
    platform_only,
    platform_session,
    signed_in,
)
from vinc_kernel.rest import IfMatch, ListQuery, Page, WithETag

from . import choices, repository, service
from .own import OwnId
from .permissions import can_manage, can_switch
from .repository import LISTING
from .schemas import NewTenant, SettingsByPlugin, SwitchByPlugin, TenantChange, TenantOut

router = APIRouter(prefix="/tenants", tags=["tenants"], dependencies=[signed_in])


@router.get("")
async def list_tenants(
    app: CurrentApp, caller: CurrentPrincipal, query: Annotated[ListQuery, LISTING.query]
) -> Page[TenantOut]:
    """List the caller's own tenants; all tenants for the platform."""
    async with app.session() as db:
        return await repository.page(db, query, None if app.is_platform(caller) else caller.tenants)


@router.get("/me")
async def me(db: Session, tenant: CurrentTenant, with_etag: WithETag) -> TenantOut:
    """Return the active tenant."""
    return with_etag(await repository.get(db, tenant.id))


@router.get("/{tenant_id}")
async def read_tenant(tenant_id: OwnId, db: Session, with_etag: WithETag) -> TenantOut:
    """Return the active tenant."""
    return with_etag(await repository.get(db, tenant_id))


@router.patch("/{tenant_id}", dependencies=[can_manage])
async def change_tenant(
    tenant_id: OwnId, change: TenantChange, expected: IfMatch, app: CurrentApp, db: Session, with_etag: WithETag
) -> TenantOut:
    """Change the active tenant; its slug never changes."""
    return with_etag(await service.update(app, db, tenant_id, expected, change.sent_fields()))


@router.get("/{tenant_id}/settings", dependencies=[can_manage])
async def read_settings(tenant_id: OwnId, app: CurrentApp, db: Session, with_etag: WithETag) -> SettingsByPlugin:
    """Return the tenant's settings in each plugin, with the defaults."""
    return choices.read_settings(app, with_etag(await repository.get_choices(db, tenant_id)))


@router.put("/{tenant_id}/settings", dependencies=[can_manage])
async def write_settings(
    tenant_id: OwnId, settings: choices.Settings, expected: IfMatch, app: CurrentApp, db: Session, with_etag: WithETag
) -> SettingsByPlugin:
    """Replace all of the tenant's settings; an omitted one has its default."""
    return choices.read_settings(app, with_etag(await choices.write_settings(app, db, tenant_id, expected, settings)))


@router.get("/{tenant_id}/plugins")
async def read_plugins(tenant_id: OwnId, app: CurrentApp, db: Session, with_etag: WithETag) -> SwitchByPlugin:
    """Return which of the plugins that can be turned off for a tenant are on."""
    return choices.read_switches(app, with_etag(await repository.get_choices(db, tenant_id)))


@router.put("/{tenant_id}/plugins", dependencies=[can_switch])
async def write_plugins(
    tenant_id: OwnId, switches: choices.Switches, expected: IfMatch, app: CurrentApp, db: Session, with_etag: WithETag
) -> SwitchByPlugin:
    """Turn plugins on and off for the tenant; an omitted one is on."""
    return choices.read_switches(app, with_etag(await choices.write_switches(app, db, tenant_id, expected, switches)))


@router.post("", status_code=201, dependencies=[platform_only])
async def create_tenant(new: NewTenant, app: CurrentApp, caller: CurrentPrincipal, with_etag: WithETag) -> TenantOut:
    """Create a tenant, with what every plugin sets up for it."""
    tenant = await service.create(app, new, caller)
    return with_etag.within(tenant.id).created(tenant)


@router.post("/{tenant_id}/suspend")
async def suspend_tenant(
    tenant_id: UUID, app: CurrentApp, db: Annotated[Session, platform_session("suspend a tenant")], with_etag: WithETag
) -> TenantOut:
    """Suspend the tenant: its members are refused until it is reactivated."""
    return with_etag.within(tenant_id)(await service.suspend(app, db, tenant_id))


@router.post("/{tenant_id}/reactivate")
async def reactivate_tenant(
    tenant_id: UUID,
    app: CurrentApp,
    db: Annotated[Session, platform_session("reactivate a tenant")],
    with_etag: WithETag,
) -> TenantOut:
    """Reactivate a suspended or closing tenant."""
    return with_etag.within(tenant_id)(await service.reactivate(app, db, tenant_id))


@router.delete("/{tenant_id}")
async def delete_tenant(
    tenant_id: UUID,
    expected: IfMatch,
    app: CurrentApp,
    db: Annotated[Session, platform_session("delete a tenant")],
    with_etag: WithETag,
) -> TenantOut:
    """Close the tenant: its members are refused, and its data is deleted after `purge_after` unless reactivated."""
    return with_etag.within(tenant_id)(await service.close(app, db, tenant_id, expected.within(tenant_id)))
