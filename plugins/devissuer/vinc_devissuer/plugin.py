"""A development issuer: an identity provider for development and tests, never for production."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vinc_kernel import App, Contribution, Issuer, SignIn, hooks

from .settings import DevissuerSettings


@hooks.contribute
def contribute() -> Contribution:
    from .commands import COMMANDS
    from .models import Failure, Invite, Key, SignInSession, User  # commands that need no routes don't pay for them
    from .router import router

    return Contribution(
        routers=[router],
        models=[Key, User, SignInSession, Invite, Failure],
        settings=DevissuerSettings,
        commands=COMMANDS,
    )


@hooks.lifespan
@asynccontextmanager
async def provide_issuer(app: App) -> AsyncGenerator[None]:
    from argon2 import PasswordHasher

    from vinc_identity.contracts import IdentityProvider

    from .service.issuer import CLIENT, make_issuer
    from .service.passwords import Passwords
    from .service.provider import StoredUsers

    issuer = make_issuer(app, Passwords(PasswordHasher()))
    users: IdentityProvider = StoredUsers(issuer)
    app.provide(issuer)
    app.provide(users, IdentityProvider)
    app.trust(
        Issuer(
            url=issuer.url,
            audience=issuer.audience,
            clients=frozenset({CLIENT}),
            keys=issuer.keys.public_key_set,
            sign_in=SignIn(flow="password", token_url=f"{app.api_prefix}/devissuer/token", client_id=CLIENT),
        )
    )
    yield
