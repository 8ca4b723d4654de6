"""Tenants over HTTP: what everybody, a tenant's own people, and the platform may do with them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from vinc_kernel import (
    CurrentApp,
    CurrentPrincipal,
    Session,
    get_tenant_id,
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
    """The caller's own tenants; all of them for those who run the platform."""
    async with app.session() as db:
        return await repository.page(db, query, None if app.is_platform(caller) else caller.tenants)


@router.get("/me")
async def me(db: Session, tenant_id: Annotated[UUID, Depends(get_tenant_id)], with_etag: WithETag) -> TenantOut:
    """The tenant of this request."""
    return with_etag(await repository.one(db, tenant_id))


@router.get("/{tenant_id}")
async def read_tenant(tenant_id: OwnId, db: Session, with_etag: WithETag) -> TenantOut:
    """The tenant of this request."""
    return with_etag(await repository.one(db, tenant_id))


@router.patch("/{tenant_id}", dependencies=[can_manage])
async def change_tenant(
    tenant_id: OwnId, change: TenantChange, expected: IfMatch, app: CurrentApp, db: Session, with_etag: WithETag
) -> TenantOut:
    """Change the tenant of this request; its slug stays."""
    return with_etag(await service.change(app, db, tenant_id, expected, change.sent_fields()))


@router.get("/{tenant_id}/settings", dependencies=[can_manage])
async def read_settings(tenant_id: OwnId, app: CurrentApp, db: Session, with_etag: WithETag) -> SettingsByPlugin:
    """What the tenant has set in each plugin, with the defaults of the rest."""
    return choices.settings(app, with_etag(await repository.choices(db, tenant_id)))


@router.put("/{tenant_id}/settings", dependencies=[can_manage])
async def write_settings(
    tenant_id: OwnId, given: choices.Settings, expected: IfMatch, app: CurrentApp, db: Session, with_etag: WithETag
) -> SettingsByPlugin:
    """Set all of the tenant's settings; what is left out has its default."""
    return choices.settings(app, with_etag(await choices.set_settings(app, db, tenant_id, expected, given)))


@router.get("/{tenant_id}/plugins")
async def read_plugins(tenant_id: OwnId, app: CurrentApp, db: Session, with_etag: WithETag) -> SwitchByPlugin:
    """Which of the plugins that can be turned off for a tenant are on."""
    return choices.switches(app, with_etag(await repository.choices(db, tenant_id)))


@router.put("/{tenant_id}/plugins", dependencies=[can_switch])
async def write_plugins(
    tenant_id: OwnId, given: choices.Switches, expected: IfMatch, app: CurrentApp, db: Session, with_etag: WithETag
) -> SwitchByPlugin:
    """Turn plugins on and off for the tenant; one that is left out is on."""
    return choices.switches(app, with_etag(await choices.set_switches(app, db, tenant_id, expected, given)))


@router.post("", status_code=201, dependencies=[platform_only])
async def create_tenant(new: NewTenant, app: CurrentApp, caller: CurrentPrincipal, with_etag: WithETag) -> TenantOut:
    """Make a tenant, and what every plugin sets up for it."""
    made = await service.create(app, new, caller)
    return with_etag.within(made.id).created(made)


@router.post("/{tenant_id}/suspend")
async def suspend_tenant(
    tenant_id: UUID, app: CurrentApp, db: Annotated[Session, platform_session("suspend a tenant")], with_etag: WithETag
) -> TenantOut:
    """Refuse the tenant's members until it is active again."""
    return with_etag.within(tenant_id)(await service.suspend(app, db, tenant_id))


@router.post("/{tenant_id}/reactivate")
async def reactivate_tenant(
    tenant_id: UUID,
    app: CurrentApp,
    db: Annotated[Session, platform_session("reactivate a tenant")],
    with_etag: WithETag,
) -> TenantOut:
    """Let the members of a suspended or closing tenant in again."""
    return with_etag.within(tenant_id)(await service.reactivate(app, db, tenant_id))


@router.delete("/{tenant_id}")
async def delete_tenant(
    tenant_id: UUID,
    expected: IfMatch,
    app: CurrentApp,
    db: Annotated[Session, platform_session("delete a tenant")],
    with_etag: WithETag,
) -> TenantOut:
    """Close the tenant: nobody works in it, and all that it has goes at `purge_after`, unless it is reactivated."""
    return with_etag.within(tenant_id)(await service.close(app, db, tenant_id, expected.within(tenant_id)))
