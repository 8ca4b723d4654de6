"""Run several `vinc` commands in one process, since what they import takes longer than what they do.

`python -m development.prepare FILE COMMANDS`: the commands are JSON, a list of lists of words; FILE takes what
`vinc plugins --json` prints.
"""

import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from vinc_kernel.cli import main


def run(listed: Path, commands: list[list[str]]) -> int:
    """The code of the first one that fails, else 0."""
    for words in commands:
        if code := main(words):
            return code
    with listed.open("w") as output, redirect_stdout(output):
        return main(["plugins", "--json"])


if __name__ == "__main__":
    result = run(Path(sys.argv[1]), json.loads(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(result)  # taking a thousand modules down in order takes 0.3 s, and nothing here needs it
