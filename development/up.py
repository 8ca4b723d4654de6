"""`./dev up`: PostgreSQL, Valkey, migrations, two demo tenants and the service, in this order; and all down again."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

from vinc_kernel.embedded.process import dying_with
from vinc_kernel.errors import VincError

from . import servers, service
from .state import ROOT, Refused, Stopped, Wish, held, say, state_directory
from .table import table

SECONDS_TO_BE_READY = 60
DEMO = "demo"  # a mark: for which database the demo tenants were loaded


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev up", description="Run everything; Ctrl-C stops everything.")
    parser.add_argument("--host", default="127.0.0.1", help="where the service listens (%(default)s)")
    parser.add_argument("--port", type=port, default=8000, help="0 is any free one (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="how many processes serve (%(default)s)")
    parser.add_argument("--reload", action="store_true", help="start anew when a file changes")
    return parser.parse_args(argv)


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**16:
        message = "a port is a number from 0 to 65535"
        raise argparse.ArgumentTypeError(message)
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Run until somebody wants an end (0) or something fails (1, with one line on stderr)."""
    options = parsed(argv)
    wish, started = Wish(), time.monotonic()
    try:
        state = state_directory()
        with held(state, "up"), ExitStack() as stack:
            run(options, state, stack, wish, started)
    except Stopped:
        say("stopped")
        return 0
    except VincError as error:
        sys.stdout.flush()
        sys.stderr.write(f"dev: {error}\n")
        return 1
    return 0


def run(options: argparse.Namespace, state: Path, stack: ExitStack, wish: Wish, started: float) -> None:
    """Start everything and stay; raises Stopped, or Refused when something ends by itself. `stack` stops it."""
    service.end_left(state)
    address = service.free(options.host, options.port)
    given = servers.settings()
    mark = state / DEMO
    if not (state / "postgres" / "data").exists():
        mark.unlink(missing_ok=True)
    running = servers.start(state, given, stack)
    wish.check()
    environ = servers.environment(given, running)
    prepare(given, running, environ, mark, wish)
    say("starting the service")
    words = ["--host", address.host, "--port", str(address.port), "--workers", str(options.workers)]
    served = service.start(state, [*words, *(["--reload"] if options.reload else [])], environ)
    stack.callback(served.stop)
    listed = child([service.VINC, "plugins", "--json"], environ, stdout=subprocess.PIPE)
    stack.callback(listed.kill)
    wait_until_ready(served, address, wish)
    told, _ = listed.communicate(timeout=SECONDS_TO_BE_READY)
    if listed.returncode != 0:
        raise Refused("`vinc plugins` failed: the reason stands above")
    sys.stdout.write(table(address, given, running, json.loads(told), seconds=time.monotonic() - started))
    sys.stdout.flush()
    stay(served, running, wish)


def prepare(
    given: Mapping[str, str], running: servers.Servers, environ: Mapping[str, str], mark: Path, wish: Wish
) -> None:
    """Make the database's roles, migrate it, and load the demo tenants if that was never done; raises Refused."""
    migrator = servers.migration_url(given, running)
    if migrator is None:
        say(f"{servers.MIGRATION_URL} is not set: the named database is taken as it is")
        return
    database = sha256(environ.get(servers.DATABASE_URL, given.get(servers.DATABASE_URL, "")).encode()).hexdigest()
    is_new = not mark.exists() or mark.read_text() != database
    commands = [["db", "upgrade"]]
    if is_new and (admin := servers.admin_url(running)):
        commands.insert(0, ["db", "init", "--admin-url", admin])
    if is_new:
        commands.append(["tenants", "demo"])
    say("migrating, and loading the demo tenants" if is_new else "migrating")
    words = [sys.executable, "-m", "development.prepare", json.dumps(commands)]
    process = child(words, {**environ, servers.MIGRATION_URL: migrator})
    while process.poll() is None:
        if wish.came:
            process.terminate()
            process.wait()
        wish.check()
        time.sleep(0.01)
    wish.check()
    if process.returncode != 0:
        message = "the database could not be prepared: the reason stands above"
        raise Refused(message)
    mark.write_text(database)


def child(
    words: Sequence[str | Path], environ: Mapping[str, str], stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """A command of ours that a terminal's Ctrl-C does not reach, and that ends with us."""
    return subprocess.Popen(
        words,
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        start_new_session=True,
        preexec_fn=dying_with(os.getpid(), signal.SIGTERM),  # noqa: PLW1509 - prctl must be called by the child
    )


def wait_until_ready(served: service.Service, address: service.Address, wish: Wish) -> None:
    deadline = time.monotonic() + SECONDS_TO_BE_READY
    while not service.is_ready(address):
        wish.check()
        refuse_if_ended(served)
        if time.monotonic() > deadline:
            message = f"{address.url}/health/ready did not answer 200 within {SECONDS_TO_BE_READY} s: see the log above"
            raise Refused(message)
        time.sleep(0.02)


def stay(served: service.Service, running: servers.Servers, wish: Wish) -> None:
    while True:
        wish.check()
        refuse_if_ended(served)
        if name := running.ended():
            message = f"{name} has ended by itself: its log is in {name.lower()}/server.log of the state directory"
            raise Refused(message)
        time.sleep(0.1)


def refuse_if_ended(served: service.Service) -> None:
    if not served.is_alive():
        message = f"the service has ended by itself with code {served.child.returncode}: the reason stands above"
        raise Refused(message)


if __name__ == "__main__":
    sys.exit(main())
