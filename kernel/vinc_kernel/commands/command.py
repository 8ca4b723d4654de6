"""What every command has in common: its type, and tables for people."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..settings import KernelSettings, Sources

Command = Callable[[Namespace, KernelSettings, Sources], int]
if TYPE_CHECKING:
    Commands = _SubParsersAction[ArgumentParser]  # argparse has no public name for it

REFUSED, FINDINGS = 1, 3


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their longest cell; the last one is left as it is."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
