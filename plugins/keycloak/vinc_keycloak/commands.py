"""`vinc keycloak ...`: commands for operators."""

from typing import Annotated

from annotated_doc import Doc

from vinc_kernel import App, StartError, print_table

from .service.drift import Difference
from .settings import KeycloakSettings

DRIFT = 3  # the exit code of every command that finds something


async def bootstrap(
    app: App, *, check: Annotated[bool, Doc("change nothing, and exit with 3 where something differs")] = False
) -> int:
    """Set up realm, client, roles, mappers and user profile; with --check only print the differences.

    What matches is not written, and what others have added is kept.
    """
    from .service.bootstrap import reconcile  # python-keycloak takes 0.2 s to import
    from .service.connection import admin

    settings = app.settings(KeycloakSettings)
    if settings.server_url is None:
        raise StartError(
            "nobody has said where Keycloak is",
            plugin="keycloak",
            phase="settings",
            where="VINC_KEYCLOAK__SERVER_URL",
            cure="set it, or let another plugin sign people in: vinc plugins disable keycloak",
        )
    differences: list[Difference] = []
    async with admin(settings) as connection:
        async for one in reconcile(connection, app.audience, write=not check):
            differences.append(one)
            if not check:
                print(f"{one.what}: {one.found} -> {one.wanted}")
    if not check:
        print(f"{len(differences)} things changed" if differences else "nothing had to be changed")
        return 0
    if not differences:
        print("everything is as it should be")
        return 0
    print_table([("what", "is", "should be"), *((one.what, one.found, one.wanted) for one in differences)])
    return DRIFT


COMMANDS = (bootstrap,)
