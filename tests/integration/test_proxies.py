"""Who calls is whom the connection comes from; a proxy is believed about it only where it is named (threats N12)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx
import pytest

from vinc_testing import Database, Servers
from vinc_testing.databases import environment

from ..pages import ROOT
from .serving import free_port, serving

VINC = Path(sys.executable).with_name("vinc")
TOKEN = "/api/v1/devissuer/token"
WRONG = {"grant_type": "password", "username": "nobody@acme.example", "password": "not this one"}


def counted(client: httpx.Client, database: Database, *forwarded: str) -> int:
    """How many addresses are counted after one wrong password for each header; the account is counted beside them."""
    for text in forwarded:
        assert client.post(TOKEN, data=WRONG, headers={"X-Forwarded-For": text}).status_code == 400
    ((rows,),) = database.admin.execute("select count(*) from devissuer_failure").fetchall()
    return int(rows) - 1


@pytest.mark.parametrize(
    ("proxies", "forwarded", "addresses"),
    [
        ("", ["192.0.2.1", "192.0.2.2", "192.0.2.3"], 1),
        ("192.0.2.99", ["192.0.2.1", "192.0.2.2", "192.0.2.3"], 1),
        ("127.0.0.1", ["192.0.2.1", "192.0.2.2", "192.0.2.3"], 3),
        ("127.0.0.1", ["203.0.113.1, 192.0.2.1", "203.0.113.2, 192.0.2.1", "198.51.100.9, 192.0.2.1"], 1),
        ("127.0.0.1,192.0.2.0/24", ["203.0.113.1, 192.0.2.1", "203.0.113.1, 192.0.2.2"], 1),
    ],
    ids=["nobody", "somebody else", "this one", "from the right", "two in a row"],
)
def test_the_address_of_a_caller(
    vinc_servers: Servers, vinc_database: Database, tmp_path: Path, proxies: str, forwarded: list[str], addresses: int
) -> None:
    port = free_port()
    given = environment(vinc_servers, vinc_database.name) | {"VINC_PLUGINS_FILE": str(ROOT / "plugins.toml")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VINC_")}
    words = [VINC, "serve", "--port", str(port)]
    with (
        serving(words, port, cwd=tmp_path, environ=kept | given | {"VINC_TRUSTED_PROXIES": proxies}),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
    ):
        assert counted(client, vinc_database, *forwarded) == addresses
