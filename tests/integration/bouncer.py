"""PgBouncer before a database, in transaction mode, until the block ends."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy.engine import URL, make_url

from vinc_testing.embedded.process import wait_until

SECONDS_TO_START = 10
PORT = 6432  # part of the socket's name; nothing listens on TCP


@contextmanager
def bouncer(address: str, *, connections: int) -> Iterator[str]:
    """The same address through a PgBouncer with so many connections; skips the test where there is none."""
    program = which("pgbouncer")
    if program is None:
        pytest.skip("not run: there is no pgbouncer here (Debian package pgbouncer)")
    url = make_url(address)
    with TemporaryDirectory(prefix="vinc-bouncer-") as name:
        config = configuration(Path(name), url, connections)
        as_ordinary_user = ["-u", "postgres"] if os.geteuid() == 0 else []
        process = subprocess.Popen([program, "-q", *as_ordinary_user, config])
        try:
            listener, log = config.with_name(f".s.PGSQL.{PORT}"), config.with_name("log")
            listens = wait_until(lambda: accepts(listener), SECONDS_TO_START)
            assert listens, log.read_text() if log.exists() else "no word"
            yield url.set(port=PORT, query={"host": name}).render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait()


def accepts(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(address)) == 0


def configuration(directory: Path, url: URL, connections: int) -> Path:
    directory.chmod(0o777)
    config = directory / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n{url.database} = host={url.query['host']} user={url.username}\n"
        f"[pgbouncer]\nlisten_addr =\nunix_socket_dir = {directory}\nlisten_port = {PORT}\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {connections}\nlogfile = {directory}/log\nsyslog = 0\n"
    )
    config.chmod(0o644)
    return config
