"""`./dev vinc ...`: the command `vinc`, with the settings of the `./dev up` that runs; the environment beats them."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from .servers import OURS
from .service import VINC
from .state import Refused, state_directory

SETTINGS = "settings.json"
INTERRUPTED = 130


@contextmanager
def known(state: Path, environ: Mapping[str, str]) -> Generator[None]:
    """Keep the settings in the state directory, for nobody else to read, until the block ends."""
    path = state / SETTINGS
    path.unlink(missing_ok=True)  # whatever a killed run, or somebody else, has left there
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - with a mode
        json.dump({name: value for name, value in environ.items() if name.startswith("VINC_")}, file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def main(arguments: Sequence[str]) -> int:
    """Its exit code; 1 and one line on stderr where no `./dev up` runs."""
    try:
        environ = settings(state_directory())
    except Refused as error:
        sys.stderr.write(f"dev: {error}\n")
        return 1
    own = {name: value for name, value in os.environ.items() if name not in OURS}
    with suppress(KeyboardInterrupt):  # the command has heard it too, and ends
        return subprocess.run([VINC, *arguments], env=environ | own, check=False).returncode
    return INTERRUPTED


def settings(state: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((state / SETTINGS).read_text())
    except FileNotFoundError:
        raise Refused("nothing runs in this checkout: ./dev up starts it") from None
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
