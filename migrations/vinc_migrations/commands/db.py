"""`vinc db`: make the database and its roles, run every plugin's migrations, and look at both."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from vinc_kernel.commands.command import FINDINGS, REFUSED, print_table, say, say_whole
from vinc_kernel.database.roles import Roles
from vinc_kernel.database.versions import History, revisions
from vinc_kernel.errors import DatabaseError
from vinc_kernel.settings import DatabaseSettings, KernelSettings, Sources

from ..connection import MigrationOptions
from ..find import KERNEL_HISTORY, address, history_named, plugin_histories, plugin_needs, readable
from ..prepare import prepare

if TYPE_CHECKING:
    from vinc_kernel.commands.command import Command, Commands

    from ..check import Models

# Alembic takes 0.2 s to import, so it is imported where a command needs it.


def add(commands: Commands) -> None:
    parser = commands.add_parser("db", help="make the database and its roles, and run every plugin's migrations")
    added = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, run: Command, text: str) -> ArgumentParser:
        parser = added.add_parser(name, help=text, description=text)
        parser.set_defaults(run=run)
        return parser

    init = action("init", run_init, "make the database, the five roles and their grants; print the SQL you may not run")
    init.add_argument("--admin-url", metavar="URL", help="who makes them; VINC_DATABASE_MIGRATION_URL")
    upgrade = action("upgrade", run_upgrade, "bring the kernel's and every plugin's tables to their newest revision")
    upgrade.add_argument("--plugin", metavar="NAME", help="this plugin only")
    upgrade.add_argument("--to", metavar="REVISION", help="up to this revision; with --plugin")
    downgrade = action("downgrade", run_downgrade, "take one plugin's tables back; what they hold may be lost")
    downgrade.add_argument("--plugin", metavar="NAME", required=True, help="whose tables")
    downgrade.add_argument("--to", metavar="REVISION", required=True, help="a revision, or base")
    action("current", run_current, "show the database's revision in each history")
    history = action("history", run_history, "list the revisions of the kernel and every plugin, the newest last")
    history.add_argument("--plugin", metavar="NAME", help="this plugin only")
    action("check", run_check, "compare models, histories, roles, grants and policies with the database")
    revision = action("revision", run_revision, "write a revision from the difference between models and database")
    revision.add_argument("--plugin", metavar="NAME", required=True, help="whose history")
    revision.add_argument("-m", "--message", metavar="TEXT", default="Change tables", help="what it does")
    revision.add_argument("--autogenerate", action=BooleanOptionalAction, default=True, help="compare (the default)")


def run_init(args: Namespace, settings: KernelSettings, _: Sources) -> int:
    database = settings.database
    if database.url is None:
        raise DatabaseError(
            "VINC_DATABASE_URL is not set: it says which database is made, and how the application will log in"
        )
    admin = args.admin_url or address(database)
    try:
        make_url(admin)
    except (ArgumentError, ValueError):
        raise DatabaseError(
            "--admin-url is no address: write it as postgresql+psycopg://postgres:password@host:5432/postgres"
        ) from None
    named = make_url(database.url.get_secret_value()).database
    if not named:
        raise DatabaseError(
            "VINC_DATABASE_URL names no database; write it as postgresql+psycopg://user:password@host/name"
        )
    roles = Roles(database.role_prefix)
    result = prepare(admin, named, roles, passwords(database, roles))
    if result.left:
        say(f"-- {make_url(admin).username or 'this user'} may not do the following; run it in psql as one who may:")
        say_whole("\n".join(result.left))
        return REFUSED
    for line in result.notes:
        say(f"note: {line}")
    changes = f"{len(result.done)} changes made" if result.done else "nothing to do"
    say(f"{changes} in {named}: roles {roles.prefix}_*")
    return 0


def passwords(settings: DatabaseSettings, roles: Roles) -> dict[str, str]:
    """Return the passwords that our addresses carry, where they name our roles."""
    given = [make_url(url.get_secret_value()) for url in (settings.url, settings.migration_url) if url]
    logins = (roles.app, roles.migrator)
    return {url.username: str(url.password) for url in given if url.username in logins and url.password}


def run_upgrade(args: Namespace, settings: KernelSettings, _: Sources) -> int:
    from ..run import HEADS, upgrade

    if args.to and not args.plugin:
        raise DatabaseError("--to needs --plugin: revisions of different plugins have nothing to do with each other")
    chosen = histories(settings, args.plugin)
    needs = {} if args.plugin else plugin_needs(settings)
    upgrade(address(settings.database), chosen, options(settings), target=args.to or HEADS, needs=needs)
    say(f"{len(chosen)} histor{'y is' if len(chosen) == 1 else 'ies are'} up to date")
    return 0


def run_downgrade(args: Namespace, settings: KernelSettings, _: Sources) -> int:
    from ..run import downgrade

    downgrade(address(settings.database), histories(settings, args.plugin)[0], options(settings), target=args.to)
    return 0


def run_current(_: Namespace, settings: KernelSettings, __: Sources) -> int:
    from ..run import current

    found, broken = readable(histories(settings))
    word = {True: "behind", False: "newest"}
    rows = [
        (one.plugin, one.at or "base", one.head or "base", word[one.is_behind] if one.is_known else "unknown")
        for one in current(address(settings.database), found)
    ]
    print_table([("plugin", "at", "newest", "state"), *rows])
    refuse(broken)
    return 0


def run_history(args: Namespace, settings: KernelSettings, _: Sources) -> int:
    found, broken = readable(histories(settings, args.plugin))
    rows = [(one.plugin, revision) for one in found for revision in revisions(one)]
    print_table([("plugin", "revision"), *rows])
    refuse(broken)
    return 0


def refuse(broken: Sequence[str]) -> None:
    """Raise DatabaseError with these lines, if there are any."""
    if broken:
        raise DatabaseError("\n".join(broken))


def run_check(_: Namespace, settings: KernelSettings, given: Sources) -> int:
    from ..check import check

    _kernel, *plugins = histories(settings)
    findings = check(address(settings.database), plugins, models(settings, given), options(settings))
    for line in findings:
        say(line)
    say(f"{len(findings)} findings" if findings else "database, histories and models are equal")
    return FINDINGS if findings else 0


def run_revision(args: Namespace, settings: KernelSettings, given: Sources) -> int:
    from ..write import write_revision

    history = histories(settings, args.plugin)[0]
    url = address(settings.database) if args.autogenerate else None
    own = models(settings, given).get(args.plugin, ()) if url else ()
    say(str(write_revision(url, history, args.message, models=own, options=options(settings))))
    return 0


def histories(settings: KernelSettings, plugin: str | None = None) -> list[History]:
    """Return the kernel's history and those of the enabled plugins, or that of one."""
    if plugin:
        return [history_named(settings, plugin)]
    return [KERNEL_HISTORY, *plugin_histories(settings)]


def models(settings: KernelSettings, given: Sources) -> Models:
    """Return the models of each plugin that loads, by its name."""
    from vinc_kernel.plugins.assemble import LoadOptions, assemble
    from vinc_kernel.plugins.trials import select_plugins

    assembly = assemble(select_plugins(settings, given), LoadOptions(settings=settings, sources=given))
    return {one.plugin.name: one.contribution.models for one in assembly.ready}


def options(settings: KernelSettings) -> MigrationOptions:
    return MigrationOptions(roles=Roles(settings.database.role_prefix), report=say)
