"""The command `vinc` in forks of a process that has imported it already: a second less for each.

What it does is the same, its start is not: a test about that runs a process of its own.
"""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

SECONDS = 120  # a machine that does other things as well
FORKS = """
import importlib, json, os, sys
import alembic.command, vinc_kernel.app, vinc_migrations.run
from vinc_kernel.cli import script

for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environ"])
        for number, name in enumerate((os.devnull, request["output"], request["errors"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
        importlib.invalidate_caches()
        sys.argv[1:] = request["words"]
        script()
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@dataclass(frozen=True)
class Preloaded:
    """A process with the packages of one environment; one that is installed later needs another process."""

    process: subprocess.Popen[str]
    folder: Path

    def run(self, words: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run `vinc` with these words."""
        output, errors = self.folder / "output", self.folder / "errors"
        for file in (output, errors):
            file.write_text("")
        request = {"words": words, "cwd": str(cwd), "environ": dict(environ)}
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin
        assert stdout
        stdin.write(json.dumps({**request, "output": str(output), "errors": str(errors)}) + "\n")
        stdin.flush()
        assert select.select([stdout], [], [], SECONDS)[0], f"vinc {' '.join(words)} takes longer than {SECONDS} s"
        return subprocess.CompletedProcess(words, int(stdout.readline()), output.read_text(), errors.read_text())


@contextmanager
def preloaded(python: Path, environ: Mapping[str, str]) -> Generator[Preloaded]:
    words = [python, "-c", FORKS]
    with (
        TemporaryDirectory(prefix="vinc-preloaded-") as folder,
        subprocess.Popen(words, env=dict(environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        yield Preloaded(process, Path(folder))
