"""Write plugins to measure with: real distributions in a directory for sys.path, and the same routers for FastAPI."""

from collections.abc import Sequence
from pathlib import Path

from vinc_kernel.plugins.find import GROUP, KERNEL

from .sso import AUDIENCE, TENANT, URL

DIRECTORY = "directory"  # the plugin that knows the one tenant
ROUTES = 20

ROUTER = '''"""Made by ./dev bench."""

from fastapi import APIRouter
from pydantic import BaseModel
{imports}

class Thing(BaseModel):
    name: str
    number: int


router = APIRouter(prefix="/{name}", tags=["{name}"]{guard})
'''
ROUTE = """

@router.get("/things{index:02}/{{number}}")
async def things{index:02}(number: int) -> Thing:
    return Thing(name="{name}", number=number)
"""
LITERAL = """

@router.get("/thing")
async def thing() -> Thing:
    return Thing(name="{name}", number=1)
"""
GUARD = """from vinc_kernel import Capability, require_capabilities

READ = Capability("{name}.read", title="Read things", roles=["viewer"])
"""
PLUGIN = '''"""Made by ./dev bench."""

from vinc_kernel import Contribution, hooks


@hooks.contribute
def contribute() -> Contribution:
    from .router import READ, router

    return Contribution(routers=[router], capabilities=[READ])
'''
TENANTS = f'''"""Made by ./dev bench: a directory with one tenant in it, and the issuer of the tokens."""

import json
import os
from contextlib import asynccontextmanager
from uuid import UUID

from vinc_kernel import App, Contribution, Issuer, Tenant, TenantDirectory, hooks

TENANT = Tenant(id=UUID("{TENANT}"), slug="acme", name="Acme")
KNOWN = {{TENANT.id: TENANT, TENANT.slug: TENANT}}


class Tenants:
    async def find(self, key):
        return KNOWN.get(key)


@hooks.contribute
def contribute() -> Contribution:
    return Contribution(provides=[TenantDirectory])


async def keys():
    return json.loads(os.environ["BENCH_JWKS"])


@hooks.lifespan
@asynccontextmanager
async def tenants(app: App):
    app.trust(Issuer(url="{URL}", audience="{AUDIENCE}", keys=keys))
    app.provide(Tenants(), TenantDirectory)
    yield
'''

ROWS = '''"""Made by ./dev bench: the rows of yardsticks.py, as a plugin of Vinc."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Numeric, bindparam, func, select, update
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import DateTime

from vinc_kernel import Capability, NotFound, Session, TenantOwned, require_capabilities

READ = Capability("rows.read", title="Read rows", roles=["viewer"])
router = APIRouter(prefix="/rows", tags=["rows"], dependencies=[require_capabilities(READ)])


class Row(TenantOwned):
    __tablename__ = "rows_row"
    name: Mapped[str]
    qty: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class RowOut(BaseModel):
    id: UUID
    tenant_id: UUID
    name: str
    qty: int
    price: Decimal
    created_at: datetime
    updated_at: datetime


COLUMNS = Row.__table__.c
BY_ID = select(*COLUMNS).where(COLUMNS.id == bindparam("id"))
COUNT_UP = (
    update(Row.__table__)
    .where(COLUMNS.id == bindparam("row"))
    .values(qty=COLUMNS.qty + 1, updated_at=func.now())
    .returning(*COLUMNS)
)


def found(row: Any) -> Any:
    if row is None:
        raise NotFound("There is no such row.")
    return row


@router.get("/{id}")
async def read(id: UUID, db: Session) -> RowOut:
    return found(await db.one_or_none(BY_ID, RowOut, {"id": id}))


@router.get("/built/{id}")
async def read_built(id: UUID, db: Session) -> RowOut:
    return found(await db.one_or_none(select(*COLUMNS).where(COLUMNS.id == id), RowOut))


@router.post("/{id}")
async def count_up(id: UUID, db: Session) -> RowOut:
    return found(await db.one_or_none(COUNT_UP, RowOut, {"row": id}))
'''
ROWS_PLUGIN = '''"""Made by ./dev bench."""

from vinc_kernel import Contribution, hooks


@hooks.contribute
def contribute() -> Contribution:
    from .router import READ, Row, router

    return Contribution(routers=[router], capabilities=[READ], models=[Row])
'''


def plugin_names(count: int) -> list[str]:
    return [f"p{number:03}" for number in range(count)]


def paths(count: int) -> list[str]:
    """Every route of so many plugins, as a caller writes it."""
    return [f"/{name}/things{index:02}/7" for name in plugin_names(count) for index in range(ROUTES)]


def write_plugins(directory: Path, count: int, *, literal: bool = False, others: Sequence[str] = ()) -> Path:
    """So many guarded plugins and the directory of tenants; the path of a plugins.toml for them, and for `others`.

    With `literal` each has one route that is a literal path, instead of twenty with a parameter.
    """
    names = plugin_names(count)
    for name in names:
        package = f"bench_{name}"
        guard = ", dependencies=[require_capabilities(READ)]"
        router = router_text(name, GUARD.format(name=name), guard, literal=literal)
        distribution(directory, name, package, {"plugin.py": PLUGIN, "router.py": router})
    distribution(directory, DIRECTORY, "bench_directory", {"plugin.py": TENANTS})
    manifest = directory / "plugins.toml"
    manifest.write_text("".join(f"[plugins.{name}]\n" for name in (*names, DIRECTORY, *others)))
    return manifest


def write_rows(directory: Path) -> Path:
    """The plugin `rows` and the directory of tenants; the path of a plugins.toml for them."""
    distribution(directory, "rows", "bench_rows", {"plugin.py": ROWS_PLUGIN, "router.py": ROWS})
    return write_plugins(directory, 0, others=["rows"])


def write_stock(directory: Path, count: int) -> None:
    """The same routers without guards, for FastAPI's own `include_router`."""
    for name in plugin_names(count):
        package = directory / f"stock_{name}"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "router.py").write_text(router_text(name, "", ""))


def router_text(name: str, imports: str, guard: str, *, literal: bool = False) -> str:
    routes = LITERAL.format(name=name) if literal else "".join(ROUTE.format(name=name, index=i) for i in range(ROUTES))
    return ROUTER.format(name=name, imports=imports, guard=guard) + routes


def distribution(directory: Path, name: str, package: str, files: dict[str, str]) -> None:
    """A package and its dist-info: what an installed plugin is."""
    module = directory / package
    module.mkdir()
    for file, text in {"__init__.py": "", **files}.items():
        (module / file).write_text(text)
    info = directory / f"{package}-1.0.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\nRequires-Dist: {KERNEL}\n"
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {package}.plugin\n")
