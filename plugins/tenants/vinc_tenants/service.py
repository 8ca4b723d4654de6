"""The rules of tenants: how they are made, and how their status changes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from vinc_kernel import App, NotFound, Principal, Session, Tenant, hooks
from vinc_kernel.rest import IfMatch, uuid7

from . import repository
from .directory import StoredTenants
from .errors import Refused, SlugTaken, TenantClosing
from .models import ACTIVE, CLOSING, SUSPENDED
from .schemas import NewTenant, TenantOut
from .settings import TenantsSettings

DEMO = {"acme": "Acme", "globex": "Globex"}


async def create(app: App, new: NewTenant, principal: Principal | None = None) -> TenantOut:
    """Make a tenant, with what every plugin sets up for it; raises SlugTaken, and what a plugin's hook raises."""
    tenant = Tenant(id=uuid7(), slug=new.slug, name=new.name)
    async with app.platform_session("make a tenant", tenant=tenant.id, principal=principal) as db:
        made = await repository.add(db, {"id": tenant.id, **new.model_dump()})
        if made is None:
            raise SlugTaken("This slug is taken, or once was: choose another one.")
        await app.call(hooks.tenant_created, app.context(db, tenant, principal))
        app.get(StoredTenants).invalidate(db, made)
    return made


async def change(app: App, db: Session, tenant_id: UUID, expected: IfMatch, values: Mapping[str, Any]) -> TenantOut:
    """Change what is said of it; raises NotFound, and PreconditionFailed where somebody else was faster."""
    await locked(db, tenant_id)
    changed = await repository.change_if(db, tenant_id, expected, values, TenantOut)
    app.get(StoredTenants).invalidate(db, changed)
    return changed


async def suspend(app: App, db: Session, tenant_id: UUID) -> TenantOut:
    """Refuse its members; raises NotFound, and TenantClosing where they are refused for ever."""
    tenant = await locked(db, tenant_id)
    if tenant.status == CLOSING:
        raise TenantClosing("Its members are refused already, and it will be purged: reactivate it first.")
    return tenant if tenant.status == SUSPENDED else await become(app, db, tenant_id, SUSPENDED)


async def reactivate(app: App, db: Session, tenant_id: UUID) -> TenantOut:
    """Let its members in again, and purge it no more; raises NotFound."""
    tenant = await locked(db, tenant_id)
    return tenant if tenant.status == ACTIVE else await become(app, db, tenant_id, ACTIVE)


async def become(app: App, db: Session, tenant_id: UUID, status: str) -> TenantOut:
    changed = await repository.change(db, tenant_id, {"status": status, "purge_after": None})
    app.get(StoredTenants).invalidate(db, changed)
    return changed


async def close(app: App, db: Session, tenant_id: UUID, expected: IfMatch) -> TenantOut:
    """Refuse its members, and have it purged when the days of grace are over; one that is closing stays as it is.

    Raises NotFound, and PreconditionFailed where somebody else was faster.
    """
    return await change(app, db, tenant_id, expected, await closing(app, db, tenant_id))


async def close_any(app: App, db: Session, tenant_id: UUID) -> TenantOut:
    """The same, whatever was seen of it."""
    values = await closing(app, db, tenant_id)
    changed = await repository.change(db, tenant_id, values)
    app.get(StoredTenants).invalidate(db, changed)
    return changed


async def closing(app: App, db: Session, tenant_id: UUID) -> Mapping[str, Any]:
    """What changes of a tenant when it is closed."""
    tenant = await locked(db, tenant_id)
    grace = timedelta(days=app.settings(TenantsSettings).purge_after)
    return {} if tenant.status == CLOSING else {"status": CLOSING, "purge_after": repository.now_and(grace)}


async def locked(db: Session, tenant_id: UUID) -> TenantOut:
    tenant = await repository.lock(db, tenant_id)
    if tenant is None:
        raise NotFound
    return tenant


def checked(slug: str, name: str) -> NewTenant:
    """A new tenant as an operator writes it; raises Refused with what is wrong."""
    try:
        return NewTenant(slug=slug, name=name or slug.replace("-", " ").title())
    except ValidationError as error:
        wrong = [f"the {fault['loc'][0]} {fault['msg'].removeprefix('Value error, ')}" for fault in error.errors()]
        raise Refused("; ".join(wrong)) from None


async def named(app: App, text: str) -> TenantOut:
    """The tenant with this id or slug, also one that was purged; raises Refused where there is none."""
    async with app.session() as db:
        found = await repository.named(db, id_of(text), text)
    if found is None:
        raise Refused(f"there is no tenant {text!r}: vinc tenants list shows them")
    return found


def id_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def add_demo(app: App) -> list[str]:
    """The slugs of the demo tenants that were added: those that were not there."""
    added = []
    for slug, name in DEMO.items():
        try:
            added.append((await create(app, NewTenant(slug=slug, name=name))).slug)
        except SlugTaken:
            continue  # it is there, or once was
    return added
