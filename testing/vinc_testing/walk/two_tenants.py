"""Walk one route as two tenants: with what is the other's, and with what never existed, and nobody can tell which.

Not by status, headers, body or the statements that it costs (threats I6, I7, I17, I18 and I19); and the other tenant's
rows are the same afterwards, as a superuser sees them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from anyio.from_thread import start_blocking_portal

from ..running import started
from .checks import IsolationCheck
from .harness import Harness, operations_of, route_name
from .statements import log_statements

if TYPE_CHECKING:
    from vinc_kernel.app import Application

    from ..databases import Database

CreateApp = Callable[[Mapping[str, str]], "Application"]  # takes the URLs of the database, as settings


def route_names(app: Application) -> list[str]:
    """Return every method of every route, as `GET /api/v1/invoices`, `WEBSOCKET ...` or `MOUNT ...`."""
    return sorted(route_name(method, endpoint) for method, endpoint in operations_of(app))


class SharedHarness:
    """A harness that is started once for the walks of many routes, as long as their settings are the same."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.environ: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stack.close()

    def start(self, create_app: CreateApp, database: Database, environ: Mapping[str, str]) -> Harness:
        """Return the harness of the application with these settings, started if it is not."""
        if self.environ != environ:
            self.stack.close()
            self.harness = self.stack.enter_context(running(create_app, database, environ["VINC_DATABASE_URL"]))
            self.environ = environ
        return self.harness


@contextmanager
def running(create_app: CreateApp, database: Database, url: str) -> Generator[Harness]:
    """Start the application, and stop it at the end of the block; it reaches `url` through the proxy."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(log_statements(url)) as log:
        # The direct URL is for what is polled twice a second, whoever sends requests or not.
        app = create_app({"VINC_DATABASE_URL": log.url, "VINC_DATABASE_DIRECT_URL": url})
        with portal.wrap_async_context_manager(started(app)):
            harness = Harness(portal=portal, app=app, database=database, log=log)
            yield harness
            for client in harness.clients.values():
                portal.call(client.http.aclose)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoTenants:
    """Two tenants with rows on both sides, and one route of an application that must keep them apart."""

    harness: Harness
    route: str

    async def assert_isolated(self) -> None:
        """Raise AssertionError with each way in which one tenant sees, changes or detects what is the other's.

        Raises NotDescribed, or NotExercised, for a route that cannot be called: each says how to describe it.
        """
        findings = await asyncio.to_thread(self.harness.portal.call, self.findings)
        if findings:
            raise AssertionError("\n".join(f"{self.route}: {finding}" for finding in dict.fromkeys(findings)))

    async def findings(self) -> list[str]:
        known = {
            route_name(method, endpoint): (method, endpoint) for method, endpoint in operations_of(self.harness.app)
        }
        if self.route not in known:
            raise LookupError(f"the application has no route {self.route!r}; it has {', '.join(sorted(known))}")
        method, endpoint = known[self.route]
        ours, theirs = await self.harness.tenants()
        check = IsolationCheck(harness=self.harness, method=method, endpoint=endpoint, ours=ours, theirs=theirs)
        await check.run()
        return check.findings
