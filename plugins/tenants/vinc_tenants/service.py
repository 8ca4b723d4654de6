"""The rules of tenants: how they are created, and how their status changes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from vinc_kernel import App, NotFound, Principal, Session, Tenant, hooks
from vinc_kernel.rest import IfMatch, uuid7

from . import repository
from .directory import StoredTenants
from .errors import Refused, SlugTaken, TenantClosing, TenantPurging
from .models import ACTIVE, CLOSING, PURGING, SUSPENDED
from .schemas import NewTenant, TenantOut
from .settings import TenantsSettings

DEMO = {"acme": "Acme", "globex": "Globex"}


async def create(app: App, new: NewTenant, principal: Principal | None = None) -> TenantOut:
    """Create a tenant, with what every plugin sets up for it; raises SlugTaken, and what a plugin's hook raises."""
    tenant = Tenant(id=uuid7(), slug=new.slug, name=new.name)
    async with app.platform_session("make a tenant", tenant=tenant.id, principal=principal) as db:
        created = await repository.add(db, {"id": tenant.id, **new.model_dump()})
        if created is None:
            raise SlugTaken("This slug is taken, or once was: choose another one.")
        await app.call(hooks.tenant_created, app.context(db, tenant, principal))
        app.get(StoredTenants).invalidate(db, created)
    return created


async def update(app: App, db: Session, tenant_id: UUID, expected: IfMatch, values: Mapping[str, Any]) -> TenantOut:
    """Change a tenant's fields; raises NotFound, and PreconditionFailed after a change that the caller has not seen."""
    await lock_tenant(db, tenant_id)
    tenant = await repository.update_if_match(db, tenant_id, expected, values, TenantOut)
    app.get(StoredTenants).invalidate(db, tenant)
    return tenant


async def suspend(app: App, db: Session, tenant_id: UUID) -> TenantOut:
    """Suspend a tenant; raises NotFound, and TenantClosing for one that will be purged."""
    tenant = await lock_tenant(db, tenant_id)
    if tenant.status == CLOSING:
        raise TenantClosing("Its members are refused already, and it will be purged: reactivate it first.")
    return tenant if tenant.status == SUSPENDED else await set_status(app, db, tenant_id, {"status": SUSPENDED})


async def reactivate(app: App, db: Session, tenant_id: UUID) -> TenantOut:
    """Reactivate a suspended or closing tenant; raises NotFound."""
    tenant = await lock_tenant(db, tenant_id)
    if tenant.status == ACTIVE:
        return tenant
    return await set_status(app, db, tenant_id, {"status": ACTIVE, "purge_after": None})


async def close(app: App, db: Session, tenant_id: UUID, expected: IfMatch) -> TenantOut:
    """Close a tenant, which is purged after the grace period; a closing one is not changed.

    Raises NotFound, and PreconditionFailed after a change that the caller has not seen.
    """
    return await update(app, db, tenant_id, expected, await closing_values(app, db, tenant_id))


async def close_any_version(app: App, db: Session, tenant_id: UUID) -> TenantOut:
    """Close a tenant whatever its version; raises NotFound."""
    return await set_status(app, db, tenant_id, await closing_values(app, db, tenant_id))


async def closing_values(app: App, db: Session, tenant_id: UUID) -> Mapping[str, Any]:
    tenant = await lock_tenant(db, tenant_id)
    if tenant.status == CLOSING:
        return {}
    grace = timedelta(days=app.settings(TenantsSettings).purge_after)
    return {"status": CLOSING, "purge_after": app.now() + grace}


async def set_status(app: App, db: Session, tenant_id: UUID, values: Mapping[str, Any]) -> TenantOut:
    tenant = await repository.change(db, tenant_id, values)
    app.get(StoredTenants).invalidate(db, tenant)
    return tenant


async def lock_tenant(db: Session, tenant_id: UUID) -> TenantOut:
    """Return the tenant, locked until the transaction ends; raises NotFound, and TenantPurging."""
    tenant = await repository.lock(db, tenant_id)
    if tenant is None:
        raise NotFound
    if tenant.status == PURGING:
        raise TenantPurging("Its data is being deleted: it can neither be changed nor brought back.")
    return tenant


def parse_new_tenant(slug: str, name: str) -> NewTenant:
    """Return a new tenant from the arguments of a command; raises Refused with what is wrong."""
    try:
        return NewTenant(slug=slug, name=name or slug.replace("-", " ").title())
    except ValidationError as error:
        wrong = [f"the {one['loc'][0]} {one['msg'].removeprefix('Value error, ')}" for one in error.errors()]
        raise Refused("; ".join(wrong)) from None


async def get_tenant(app: App, text: str) -> TenantOut:
    """Return the tenant with this id or slug, also a purged one; raises Refused where there is none."""
    try:
        tenant_id = UUID(text)
    except ValueError:
        tenant_id = None
    async with app.session() as db:
        tenant = await repository.get_by_id_or_slug(db, tenant_id, text)
    if tenant is None:
        raise Refused(f"there is no tenant {text!r}: vinc tenants list shows them")
    return tenant


async def add_demo(app: App) -> list[str]:
    """Add the demo tenants that do not exist, and return their slugs."""
    added = []
    for slug, name in DEMO.items():
        try:
            added.append((await create(app, NewTenant(slug=slug, name=name))).slug)
        except SlugTaken:
            continue
    return added
