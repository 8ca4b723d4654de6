"""Read what the documents say: their tables, their blocks of code, their headings."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def section(text: str, heading: str) -> str:
    """Return the text below a heading, up to the next heading of its level."""
    level = heading.partition(" ")[0]
    _, _, after = text.partition(f"{heading}\n")
    return re.split(rf"^{level} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row whose first cell is code, without back quotes."""
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()]
    return [[cell.strip("`") for cell in cells] for cells in found if cells[0].startswith("`") and len(cells) > 1]


def blocks(text: str, kind: str) -> list[str]:
    """Return the contents of the fenced blocks of one language."""
    return [found[2] for found in BLOCK.finditer(text) if found[1] == kind]


def shown_files(text: str) -> dict[str, str]:
    """Return the blocks below a file's name, by that name."""
    return {found[1]: found[2] for found in SHOWN.finditer(text)}
