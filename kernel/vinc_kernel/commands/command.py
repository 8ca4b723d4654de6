"""What all commands share: their type, and how they print lines and tables."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from typing import TypeAlias

from ..errors import VincError
from ..settings import KernelSettings, Sources
from ..text import escaped

Command = Callable[[Namespace, KernelSettings, Sources], int]
Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"  # argparse has no public name for it
REFUSED, FINDINGS = 1, 3
LONGEST = 1000  # characters of a line or of a cell
GAP = " ... "


class OutputLost(VincError):
    """Standard output cannot be written."""

    def __init__(self, why: str) -> None:
        super().__init__(f"standard output {why}; direct it to a terminal, a pipe or a file with room")


def printable(text: str) -> str:
    """Return the text as one line without control characters; a text that is too long loses its middle."""
    line = escaped(text)
    if len(line) <= LONGEST:
        return line
    end = LONGEST // 3  # an error's cure stands there
    return line[: LONGEST - end - len(GAP)] + GAP + line[-end:]


def say(text: str) -> None:
    """Print one printable line."""
    with writing():
        print(printable(text))


def say_whole(text: str) -> None:
    """Print a text for programs, such as JSON or SQL, as it is."""
    with writing():
        print(text)


def complain(text: str) -> None:
    """Print one line on stderr, unless that is closed."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(f"vinc: {printable(text)}", file=sys.stderr, flush=True)


@contextmanager
def writing() -> Generator[None]:
    """Turn an OSError into OutputLost; a pipe without a reader stays a BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up_output()
        raise OutputLost(f"cannot be written: {(error.strerror or str(error)).lower()}") from None


def flush_output() -> None:
    """Flush stdout, unless a plugin has closed it."""
    if sys.stdout is not None and not sys.stdout.closed:
        with writing():
            sys.stdout.flush()


def give_up_output() -> None:
    """Discard buffered output, else the interpreter tries to write it once more when it exits."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows, the headings first, in columns as wide as their longest cell."""
    lines = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        say_whole("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
