"""Walk one route as two tenants: with what is the other's, and with what was never there, and nobody can tell which.

Not by status, headers, body or the statements that it costs (threats I6, I7, I17, I18 and I19); and what the other has
is the same afterwards, row by row, as a superuser sees it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .described import Described
from .overhear import Overheard
from .planted import Planted
from .stage import Stage, cases, named
from .steps import Walk

if TYPE_CHECKING:
    from vinc_kernel.app import Application

    from ..databases import Database

OURS, THEIRS = "walk-ours", "walk-theirs"
MARKS = {OURS: "oursmark7c1e", THEIRS: "theirmark7c1e"}


def routes_of(app: Application) -> list[str]:
    """Every method of every route, as `GET /api/v1/invoices`; a mount and a WebSocket have a word of their own."""
    return sorted(named(method, endpoint) for method, endpoint in cases(app))


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoTenants:
    """Two tenants with data on both sides, and one route of an application that is to keep them apart.

    `descriptions` of routes may be shared by all walks of a run.
    """

    app: Application
    database: Database
    overheard: Overheard
    route: str
    descriptions: dict[str, Described] = field(default_factory=dict, repr=False)

    async def assert_isolated(self) -> None:
        """Raise AssertionError with each way in which one tenant sees, changes or detects on it what is the other's.

        Raises NotDescribed, or NotExercised, for a route that cannot be asked: each says how to describe it.
        """
        async with AsyncExitStack() as stack:
            stage = Stage(
                app=self.app,
                database=self.database,
                overheard=self.overheard,
                stack=stack,
                descriptions=self.descriptions,
            )
            walk = await self.begun(stage)
            await walk.go()
        if walk.findings:
            raise AssertionError("\n".join(f"{self.route}: {finding}" for finding in dict.fromkeys(walk.findings)))

    async def begun(self, stage: Stage) -> Walk:
        """The walk, with both tenants planted, ours first."""
        known = {named(method, endpoint): (method, endpoint) for method, endpoint in cases(self.app)}
        if self.route not in known:
            raise LookupError(f"the application has no route {self.route!r}; it has {', '.join(sorted(known))}")
        method, endpoint = known[self.route]
        garden = stage.garden()
        found = {slug: await stage.tenant(slug) for slug in (OURS, THEIRS)}
        planted = [Planted(tenant=one.id, slug=slug, mark=MARKS[slug]) for slug, one in found.items()]
        for one in planted:
            await garden.plant(one, stage.ask)
        return Walk(stage=stage, garden=garden, method=method, endpoint=endpoint, ours=planted[0], theirs=planted[1])
