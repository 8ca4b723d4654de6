"""Identity: what is remembered of principals, the roles, and the ending of sessions."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vinc_kernel import App, Contribution, PrincipalDirectory, hooks

SECONDS_TO_NOTE, SECONDS_TO_TELL = 60, 10
SEEN, UNTOLD = "writing when principals were seen", "telling the identity provider"


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
    from .service.beside import attempt, every

    stored = StoredPrincipals.of(app)
    app.provide(stored)
    app.provide(stored, PrincipalDirectory)
    try:
        async with (
            every(SECONDS_TO_NOTE, last_seen.write, app, what=SEEN),
            every(SECONDS_TO_TELL, telling.tell_all, app, what=UNTOLD),
        ):
            yield
    finally:
        await attempt(last_seen.write, app, what=SEEN)
