"""What `./dev up` prints when everything runs."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from .servers import DATABASE_URL, MIGRATION_URL, REDIS_URL, Servers, environment, migration_url
from .service import Address


def table(
    address: Address,
    given: Mapping[str, str],
    running: Servers,
    plugins: Sequence[Mapping[str, Any]],
    *,
    seconds: float,
) -> str:
    """Where everything is, and how to stop it."""
    prefix = given.get("VINC_API_V1_PREFIX", "/api/v1")
    rows = [
        ("URL", [f"{address.url}{prefix}"]),
        ("Docs", [f"{address.url}/docs"]),
        ("Plugins", [plugin(each) for each in plugins]),
        ("Databases", [postgres(running), valkey(running)]),
        ("Commands", commands(given, running)),
        ("Stop", ["Ctrl-C"]),
    ]
    lines = [
        f"  {label if number == 0 else '':<11}{value}" for label, values in rows for number, value in enumerate(values)
    ]
    return "\n".join(["", f"  Vinc is ready, after {seconds:.1f} s", "", *lines, "", ""])


def commands(given: Mapping[str, str], running: Servers) -> list[str]:
    """What another terminal needs, so that `vinc` means this installation."""
    environ = {"VINC_ENV": given.get("VINC_ENV", "dev")}
    if running.postgres:
        environ[DATABASE_URL] = environment(given, running)[DATABASE_URL]
        environ[MIGRATION_URL] = migration_url(given, running) or ""
    exports = " ".join(f"{name}={quote(value)}" for name, value in environ.items())
    return [f". .venv/bin/activate; export {exports}", "vinc --help"]


def plugin(told: Mapping[str, Any]) -> str:
    why = f" ({told['why']})" if told.get("why") else ""
    return f"{told['name']:<12}{told.get('version') or '-':<9}{told['state']}{why}"


def postgres(running: Servers) -> str:
    if running.postgres is None:
        return f"PostgreSQL named by {DATABASE_URL}"
    return f"PostgreSQL in {running.postgres.directory}: ./dev psql"


def valkey(running: Servers) -> str:
    return f"Valkey at {running.valkey.url}" if running.valkey else f"Redis named by {REDIS_URL}"
