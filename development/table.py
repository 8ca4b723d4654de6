"""What `./dev up` prints when everything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .servers import DATABASE_URL, REDIS_URL, Servers
from .service import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What runs, for how many seconds it was waited, and `more` rows of the table."""

    address: Address
    given: Mapping[str, str]
    running: Servers
    plugins: Sequence[Mapping[str, Any]]
    seconds: float
    more: Sequence[tuple[str, Sequence[str]]] = ()


def table(ready: Ready) -> str:
    address, given, running = ready.address, ready.given, ready.running
    prefix = given.get("VINC_API_V1_PREFIX", "/api/v1")
    rows = [
        ("URL", [f"{address.url}{prefix}"]),
        ("Docs", [f"{address.url}/docs"]),
        ("Plugins", [plugin(each) for each in ready.plugins]),
        ("Databases", [postgres(running), valkey(running)]),
        *ready.more,
        ("Commands", ["./dev vinc --help"]),
        ("Stop", ["Ctrl-C"]),
    ]
    lines = [
        f"  {label if number == 0 else '':<11}{value}" for label, values in rows for number, value in enumerate(values)
    ]
    return "\n".join(["", f"  Vinc is ready, after {ready.seconds:.1f} s", "", *lines, "", ""])


def plugin(told: Mapping[str, Any]) -> str:
    why = f" ({told['why']})" if told.get("why") else ""
    return f"{told['name']:<12}{told.get('version') or '-':<9}{told['state']}{why}"


def postgres(running: Servers) -> str:
    if running.postgres is None:
        return f"PostgreSQL named by {DATABASE_URL}"
    return f"PostgreSQL in {running.postgres.directory}: ./dev psql"


def valkey(running: Servers) -> str:
    return f"Valkey at {running.valkey.url}" if running.valkey else f"Redis named by {REDIS_URL}"
