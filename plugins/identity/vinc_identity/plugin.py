"""Identity: the principals of an installation, their roles, and the ending of sessions."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from vinc_kernel import App, Contribution, PrincipalDirectory, hooks

SECONDS_BETWEEN_WRITES, SECONDS_BETWEEN_SYNCS = 60, 10


@hooks.contribute
def contribute() -> Contribution:
    from .commands.people import PEOPLE
    from .commands.service_accounts import SERVICE_ACCOUNTS
    from .models import Principal  # commands that need no routes don't pay for them
    from .permissions import ROLES
    from .router import router

    return Contribution(
        routers=[router],
        models=[Principal],
        roles=ROLES,
        provides=[PrincipalDirectory],
        commands=[*PEOPLE, SERVICE_ACCOUNTS],
    )


@hooks.lifespan
@asynccontextmanager
async def provide_directory(app: App) -> AsyncGenerator[None]:
    from .directory import StoredPrincipals
    from .service import last_seen, provider_sync

    principals = StoredPrincipals.of(app)
    app.provide(principals)
    app.provide(principals, PrincipalDirectory)
    app.background(partial(last_seen.write, app), every=SECONDS_BETWEEN_WRITES)
    app.background(partial(provider_sync.sync_due, app), every=SECONDS_BETWEEN_SYNCS)
    try:
        yield
    finally:
        await last_seen.write_on_shutdown(app)
