"""Identity: what is remembered of principals, the roles, and the ending of sessions."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from vinc_kernel import App, Contribution, PrincipalDirectory, hooks

SECONDS_TO_NOTE, SECONDS_TO_TELL = 60, 10


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
async def remember(app: App) -> AsyncGenerator[None]:
    from .directory import StoredPrincipals
    from .service import last_seen, telling

    stored = StoredPrincipals.of(app)
    app.provide(stored)
    app.provide(stored, PrincipalDirectory)
    app.background(partial(last_seen.write, app), every=SECONDS_TO_NOTE)
    app.background(partial(telling.tell_all, app), every=SECONDS_TO_TELL)
    try:
        yield
    finally:
        await last_seen.write_at_the_end(app)
