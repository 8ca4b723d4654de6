"""Measure everything, or one part: `./dev bench [--only NAME] [--rounds N] [--seconds S]`."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from vinc_kernel.errors import VincError
from vinc_testing.embedded.postgres import PostgresServer, start_postgres

from .compare import Rounds
from .failed import BenchFailed
from .identity import identity
from .load import tool
from .pages import page, tenants
from .read import read
from .ready import ready
from .report import Line, table
from .requests import guarded, health
from .routes import many

MISSED = 3
Part = Callable[[Rounds, PostgresServer], Iterator[Line]]
PARTS: Mapping[str, Part] = {
    "health": health,
    "guarded": guarded,
    "identity": identity,
    "routes": many,
    "read": read,
    "ready": ready,
    "page": page,
    "tenants": tenants,
}


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measure Vinc beside bare FastAPI.")
    parser.add_argument("--only", choices=PARTS, help="one part only")
    parser.add_argument("--rounds", type=positive, default=7, help="how often each pair is measured (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=2, help="how long each time (%(default)s)")
    return parser.parse_args(argv)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        message = "must be 1 or more"
        raise argparse.ArgumentTypeError(message)
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every target is met, 3 when one is missed, 1 when something could not be measured."""
    options = parsed(argv)
    chosen = [options.only] if options.only else list(PARTS)
    begun, lines = time.monotonic(), list[Line]()
    try:
        with tempfile.TemporaryDirectory(prefix="vinc-bench-") as directory:
            scratch = Path(directory)
            scratch.chmod(0o711)  # the account that PostgreSQL runs as, when we are root, must get through
            rounds = Rounds(count=options.rounds, seconds=options.seconds, scratch=scratch)
            server = start_postgres(scratch / "postgres", die_with_parent=True)
            try:
                for name in chosen:
                    say(f"measuring {name}")
                    for line in PARTS[name](rounds, server):
                        say(f"  {line.what}: {line.figure}")
                        lines.append(line)
            finally:
                server.stop()
    except (VincError, BenchFailed) as error:
        sys.stderr.write(f"dev: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\n{table(lines)}\n")
    for line in lines:
        if line.below:
            print(f"{line.below}\n")
    took = f"{time.monotonic() - begun:.0f} s"
    print(f"{options.rounds} rounds of {options.seconds} s each, medians, by {tool()}; {took}")
    return MISSED if any(line.is_met is False for line in lines) else 0


def say(text: str) -> None:
    print(f"dev: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
