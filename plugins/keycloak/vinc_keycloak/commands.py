"""`vinc keycloak ...`: what operators do with Keycloak."""

from typing import Annotated

from annotated_doc import Doc

from vinc_kernel import App, print_table

from .errors import absent
from .service.drift import Difference
from .settings import KeycloakSettings

DRIFT = 3  # the exit code of every command that finds something


async def bootstrap(
    app: App, *, check: Annotated[bool, Doc("change nothing, and exit with 3 where something differs")] = False
) -> int:
    """Make realm, client, roles, mappers and user profile as they should be; with --check only tell what is not.

    What is right stays as it is, and so does what others have added.
    """
    from .service.bootstrap import differing  # python-keycloak takes 0.2 s to import
    from .service.connection import admin

    settings = app.settings(KeycloakSettings)
    if settings.server_url is None:
        raise absent()
    found: list[Difference] = []
    async with admin(settings) as line:
        async for one in differing(line, app.audience, write=not check):
            found.append(one)
            if not check:
                print(f"{one.what}: {one.found} -> {one.wanted}")
    if not check:
        print(f"{len(found)} things changed" if found else "nothing had to be changed")
        return 0
    if not found:
        print("everything is as it should be")
        return 0
    print_table([("what", "is", "should be"), *((one.what, one.found, one.wanted) for one in found)])
    return DRIFT


COMMANDS = (bootstrap,)
