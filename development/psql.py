"""`./dev psql`: the embedded database, as somebody who sees and may change everything in it.

That is PostgreSQL's superuser: the tables' owner is bound by row level security like everybody else, and sees no row.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from vinc_kernel.errors import VincError
from vinc_testing.embedded.postgres import SUPERUSER, find_programs, start_postgres

from .servers import DATABASE
from .state import Busy, Refused, held, state_directory


def main(arguments: Sequence[str]) -> int:
    """Run psql; the server is started for the time when `./dev up` does not run. The code is psql's."""
    try:
        with ExitStack() as stack:
            return run(arguments, stack)
    except VincError as error:
        sys.stderr.write(f"dev: {error}\n")
        return 1


def run(arguments: Sequence[str], stack: ExitStack) -> int:
    state = state_directory()
    if not (state / "postgres" / "data").is_dir():
        message = f"there is no database in {state} yet: ./dev up makes it"
        raise Refused(message)
    try:
        stack.enter_context(held(state, "psql"))
        is_alone = True
    except Busy:
        is_alone = False
    server = start_postgres(state / "postgres")
    if is_alone and not server.adopted:
        stack.callback(server.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is psql's: it cancels a query
    where = ["-h", str(server.socket_directory), "-U", SUPERUSER, "-d", DATABASE]
    return subprocess.run([find_programs() / "psql", *where, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
