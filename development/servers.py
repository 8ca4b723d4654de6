"""Which servers the service uses: those that the settings name, else embedded ones under the state directory."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vinc_kernel.settings import Sources
from vinc_testing.embedded.postgres import SUPERUSER, PostgresServer, start_postgres
from vinc_testing.embedded.valkey import ValkeyServer, start_valkey

from .state import ROOT, Refused, say

DATABASE = "vinc"
DATABASE_URL, MIGRATION_URL, REDIS_URL = "VINC_DATABASE_URL", "VINC_DATABASE_MIGRATION_URL", "VINC_REDIS_URL"
OURS = frozenset({"VINC_STATE", "VINC_VENV"})  # settings of ./dev, which the service would call unknown


@dataclass(frozen=True, slots=True)
class Servers:
    """What runs for the service; None where the settings name a server."""

    postgres: PostgresServer | None
    valkey: ValkeyServer | None

    def refuse_if_ended(self) -> None:
        """Raise Refused when one has ended by itself."""
        for name, server in (("PostgreSQL", self.postgres), ("Valkey", self.valkey)):
            if server and not server.is_alive():
                message = f"{name} has ended by itself: its log is {server.log}"
                raise Refused(message)


def settings() -> dict[str, str]:
    """What is set for Vinc: the environment beats `.env`, an empty value is unset. Raises VincError."""
    given = Sources.read(os.environ, ROOT / ".env").merged()
    if given.get("VINC_ENV") == "prod":
        message = "VINC_ENV is prod, and ./dev up is for development: unset it, and serve with `vinc serve`"
        raise Refused(message)
    return {name: value for name, value in given.items() if value and name.startswith("VINC_") and name not in OURS}


def start(state: Path, given: Mapping[str, str], stack: ExitStack) -> Servers:
    """Start, or adopt, what the settings do not name; `stack` stops it."""
    postgres = valkey = None
    if DATABASE_URL not in given:
        say("starting PostgreSQL")
        postgres = start_postgres(state / "postgres")
        stack.callback(stop, "PostgreSQL", postgres)
        told(postgres)
    if REDIS_URL not in given:
        say("starting Valkey")
        valkey = start_valkey(state / "valkey")
        stack.callback(stop, "Valkey", valkey)
        told(valkey)
    return Servers(postgres, valkey)


def told(server: PostgresServer | ValkeyServer) -> None:
    if server.adopted:
        say(f"taking over the one that a killed run has left (pid {server.pid})")


def stop(name: str, server: PostgresServer | ValkeyServer) -> None:
    say(f"stopping {name}")
    server.stop()


def environment(given: Mapping[str, str], servers: Servers) -> dict[str, str]:
    """What the service is told; the migrator's address is not its business."""
    environ = {name: value for name, value in os.environ.items() if name not in OURS | {MIGRATION_URL}}
    usual = {"VINC_ENV": "dev", "VINC_DEBUG": "true"}  # who develops reads the texts of exceptions
    environ |= {name: value for name, value in usual.items() if name not in given}
    if servers.postgres:
        environ[DATABASE_URL] = servers.postgres.url(f"{role_prefix(given)}_app", DATABASE)
    if servers.valkey:
        environ[REDIS_URL] = servers.valkey.url
    return environ


def migration_url(given: Mapping[str, str], servers: Servers) -> str | None:
    """Who migrates; None when only the settings could say it, and do not."""
    if servers.postgres:
        return servers.postgres.url(f"{role_prefix(given)}_migrator", DATABASE)
    return given.get(MIGRATION_URL)


def admin_url(servers: Servers) -> str | None:
    """Who may make the database and its roles; nobody but the owner of a server that the settings name."""
    return servers.postgres.url(SUPERUSER, DATABASE) if servers.postgres else None


def role_prefix(given: Mapping[str, str]) -> str:
    return given.get("VINC_DATABASE_ROLE_PREFIX", "vinc")
