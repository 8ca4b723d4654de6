"""Plugins whose revisions cannot be one line: each is told and quarantined by itself, without Alembic or a database."""

from __future__ import annotations

from collections.abc import Mapping

from .conftest import Workshop

FIRST = "revision = 'a'\ndown_revision = None\n"
UTF8 = "make it a Python module in UTF-8"
BROKEN: Mapping[str, tuple[Mapping[str, bytes | str], str]] = {
    "heads": (
        {"a.py": FIRST, "b.py": "revision = 'b'\ndown_revision = 'a'", "c.py": "revision = 'c'\ndown_revision = 'a'"},
        "revision c and b both follow a ({at}/c.py); let one follow the other",
    ),
    "missing": (
        {"a.py": "revision = 'a'\ndown_revision = 'zz'"},
        "revision a is not reached from the first ({at}); correct its down_revision",
    ),
    "long": (
        {"a.py": f"revision = '{'x' * 33}'\ndown_revision = None"},
        f"revision {'x' * 33} has more than 32 characters ({{at}}/a.py); shorten it",
    ),
    "syntax": ({"a.py": FIRST + "def f(:"}, f"it cannot be read: SyntaxError at line 3 ({{at}}/a.py); {UTF8}"),
    "latin": (
        {"a.py": FIRST.encode() + "# ü".encode("latin-1")},
        f"it cannot be read: UnicodeDecodeError ({{at}}/a.py); {UTF8}",
    ),
    "twins": (
        {"a.py": FIRST, "b.py": "revision = 'a'\ndown_revision = 'a'"},
        "another file is revision a as well ({at}/b.py); rename one of them",
    ),
}


def test_a_broken_history_is_one_line_and_takes_its_own_plugin_only(workshop: Workshop) -> None:
    workshop.plugin("good")
    expected = []
    for name, (files, line) in sorted(BROKEN.items()):
        workshop.plugin(name, required=False)
        versions = workshop.modules[name] / "migrations" / "versions"
        versions.mkdir(parents=True)
        for file, text in files.items():
            (versions / file).write_bytes(text if isinstance(text, bytes) else text.encode())
        expected.append(f"quarantined: {name}: histories: {line.replace('{at}', str(versions))}")
    checked = workshop.vinc("check", seconds=60)

    assert checked.stdout.splitlines()[:-1] == expected
    assert (checked.returncode, checked.stderr) == (3, "")
