"""`./dev up`: PostgreSQL, Valkey, migrations, two demo tenants and the service, in this order; and all down again."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from vinc_kernel.commands.arguments import port, workers
from vinc_kernel.errors import VincError

from . import demo, keycloak, preparation, servers, service, vinc
from .state import ROOT, Refused, Stopped, Wish, held, say, state_directory
from .table import Ready, table

SECONDS_TO_BE_READY = 60


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev up", description="Run everything; Ctrl-C stops everything.")
    parser.add_argument("--host", default="127.0.0.1", help="where the service listens (%(default)s)")
    parser.add_argument("--port", type=port, default=8000, help="0 is any free one (%(default)s)")
    parser.add_argument("--workers", type=workers, default=1, help="how many processes serve (%(default)s)")
    parser.add_argument("--keycloak", action="store_true", help="sign in at a real Keycloak, which is fetched once")
    parser.add_argument("--reload", action="store_true", help="start anew when a file changes")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until somebody wants an end (0) or something fails (1, with one line on stderr)."""
    options = parsed(argv)
    wish, started = Wish(), time.monotonic()
    try:
        state = state_directory()
        if state.parent != ROOT:
            say(f"the servers' data and programs are in {state}")
        with held(state, "up"), ExitStack() as stack:
            run(options, state, stack, wish, started)
    except Stopped:
        say("stopped")
        return 0
    except (VincError, OSError) as error:
        told = [*str(error).splitlines(), type(error).__name__][0]
        sys.stderr.write(f"dev: {told}\n")
        return 1
    return 0


def run(options: argparse.Namespace, state: Path, stack: ExitStack, wish: Wish, started: float) -> None:
    """Start everything and stay; raises Stopped, or Refused when something ends by itself. `stack` stops it."""
    service.end_left(state)
    address = service.free(options.host, options.port)
    given = servers.settings()
    keeper = keycloak.launch(state, stack) if options.keycloak else None
    running = servers.start(state, given, stack)
    wish.check()
    environ = servers.environment(given, running)
    provider = keycloak.complete(keeper, state, stack, wish) if keeper else None
    commands: Sequence[list[str]] = ()
    has_demo = provider is None and demo.is_enabled(given)
    if provider:
        environ |= keycloak.settings(provider, address, given)
        commands = keycloak.COMMANDS
    elif has_demo:
        environ = demo.settings(address, given) | environ
        commands = demo.COMMANDS
    prepared = preparation.start(state, given, running, environ, commands)
    stack.callback(prepared.stop)
    if not prepared.is_known:  # else both go on at once: nothing is to be migrated, and it is looked at all the same
        prepared.finish(wish)
    say("starting the service")
    words = ["--host", address.host, "--port", str(address.port), "--workers", str(options.workers)]
    served = service.start(state, [*words, *(["--reload"] if options.reload else [])], environ)
    stack.callback(served.stop)
    plugins = prepared.finish(wish)
    if provider:
        keycloak.give_password(environ)
    states = wait_until_ready(served, address, wish)
    shown = [plugin | {"state": states.get(plugin["name"], "not enabled")} for plugin in plugins]
    more = keycloak.rows(provider, address, given) if provider else demo.rows(address, given) if has_demo else []
    seconds = time.monotonic() - started
    ready = Ready(address=address, given=given, running=running, plugins=shown, seconds=seconds, more=more)
    sys.stdout.write(table(ready))
    sys.stdout.flush()
    migrator = servers.migration_url(given, running)
    stack.enter_context(vinc.known(state, environ | ({servers.MIGRATION_URL: migrator} if migrator else {})))
    stay(served, running, provider, wish)


def wait_until_ready(served: service.Service, address: service.Address, wish: Wish) -> dict[str, str]:
    """The state of each plugin that the service has loaded."""
    deadline = time.monotonic() + SECONDS_TO_BE_READY
    while (states := service.readiness(address)) is None:
        wish.check()
        refuse_if_ended(served)
        if time.monotonic() > deadline:
            message = f"{address.url}/health/ready did not answer 200 within {SECONDS_TO_BE_READY} s: see the log above"
            raise Refused(message)
        time.sleep(0.02)
    return states


def stay(served: service.Service, running: servers.Servers, provider: keycloak.Keycloak | None, wish: Wish) -> None:
    while True:
        wish.check()
        refuse_if_ended(served)
        running.refuse_if_ended()
        if provider:
            provider.refuse_if_ended()
        time.sleep(0.1)


def refuse_if_ended(served: service.Service) -> None:
    if not served.is_alive():
        message = f"the service has ended by itself with code {served.child.returncode}: the reason stands above"
        raise Refused(message)


if __name__ == "__main__":
    sys.exit(main())
