"""Plugins see the kernel's four faces and nothing behind them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACES = {"vinc_kernel", "vinc_kernel.rest", "vinc_migrations", "vinc_testing"}
SOURCES = sorted(
    path
    for folder in ("plugins", "examples", "kernel", "migrations", "testing")
    for path in (ROOT / folder).rglob("*.py")
    if not {".venv", "build", "dist"} & set(path.parts)
)
ADAPTER = ROOT / "kernel/vinc_kernel/fastapi_adapter.py"
UNPROMISED = re.compile(
    r"fastapi\.(dependencies|params|_compat|routing import (?!APIRoute$))|iter_route_contexts|RouteContext|Dependant\b|"
    r"\.dependant\b|get_flat_params|compile_path|body_field|_low_priority_|_astack|effective_route|request\._",
    re.MULTILINE,
)
OURS = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in {"plugins", "examples"}]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_plugin_imports_the_kernel_only_from_its_faces(path: Path) -> None:
    behind = [
        (line, name) for line, name in imported(path) if name.split(".")[0] == "vinc_kernel" and name not in FACES
    ]

    assert behind == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_imports_the_names_of_folders(path: Path) -> None:
    assert [(line, name) for line, name in imported(path) if name.split(".")[0] in {"kernel", "plugins"}] == []


def test_only_the_adapter_touches_what_fastapi_and_starlette_do_not_promise() -> None:
    others = [path for path in SOURCES if path != ADAPTER and "tests" not in path.parts]
    found = {
        str(path.relative_to(ROOT)): sorted({m[0] for m in UNPROMISED.finditer(path.read_text())}) for path in others
    }

    assert UNPROMISED.search(ADAPTER.read_text())
    assert {path: names for path, names in found.items() if names} == {}
