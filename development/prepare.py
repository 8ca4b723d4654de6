"""Run several `vinc` commands in one process, since what they import takes longer than what they do."""

import json
import sys

from vinc_kernel.cli import main


def run(commands: list[list[str]]) -> int:
    """The code of the first one that fails, else 0."""
    for words in commands:
        if code := main(words):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(run(json.loads(sys.argv[1])))
