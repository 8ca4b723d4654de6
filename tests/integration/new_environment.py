"""A new virtual environment in seconds: third-party packages are linked from this one, ours are installed by pip.

Linked is exactly what the named requirements ask for, and pip may not look anywhere else: a requirement that a
distribution forgets to declare is missing here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SECONDS = 180  # a machine that does other things as well
SCRIPT = """#!{python}
import sys
from {module} import {attribute}

if __name__ == "__main__":
    sys.exit({attribute}())
"""
BACKEND = ("hatchling", "pip")
PROJECTS = [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("*/*/pyproject.toml")]


@dataclass
class Environment:
    """A virtual environment, and the variables that commands in it see."""

    place: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        return self.place / "bin" / "python"

    @property
    def packages(self) -> Path:
        return self.place / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"

    def run(self, *words: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with this environment first on the path."""
        return subprocess.run(
            list(map(str, words)),
            cwd=cwd,
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def new_environment(place: Path) -> Environment:
    """Make it with what our distributions and their extras need, themselves left out."""
    place.parent.chmod(0o755)  # the account that runs PostgreSQL when we are root must get to its programs
    venv.EnvBuilder(with_pip=False, symlinks=True).create(place)
    made = Environment(place, clean_variables(place))
    for each in needed([*BACKEND, *declared()]):
        link(each, made)
    return made


def declared() -> Iterator[str]:
    """What our pyproject.toml files ask for; the metadata of an editable installation may be older than they are."""
    for file in PROJECTS:
        project = tomllib.loads(file.read_text())["project"]
        yield from project["dependencies"]
        for extra in project.get("optional-dependencies", {}).values():
            yield from extra


def clean_variables(place: Path) -> dict[str, str]:
    """Nothing of this run's settings, and a pip that finds what it needs or fails."""
    foreign = ("VINC_", "PYTEST_", "PYTHON", "PIP_")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_COMPILE": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PATH": f"{place / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def needed(roots: Iterable[str]) -> Iterator[Distribution]:
    """The third-party distributions that these ask for, directly or through others."""
    waiting, seen = [Requirement(root) for root in roots], set[tuple[str, str]]()
    while waiting:
        asked = waiting.pop()
        name = canonicalize_name(asked.name)
        for extra in {"", *asked.extras} if not name.startswith("vinc-") else ():
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            found = distribution(name)
            if not extra:
                yield found
            waiting += [one for one in map(Requirement, found.requires or ()) if applies(one, extra)]


def applies(one: Requirement, extra: str) -> bool:
    return one.marker is None or one.marker.evaluate({"extra": extra})


def link(found: Distribution, into: Environment) -> None:
    """Link its packages and metadata, and make its commands."""
    for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        at = into.packages / top
        if not at.exists():
            at.symlink_to(Path(str(found.locate_file(top))).resolve())
    for point in found.entry_points.select(group="console_scripts"):
        script = into.place / "bin" / point.name
        attribute = point.attr.partition(".")[0]
        script.write_text(SCRIPT.format(python=into.python, module=point.module, attribute=attribute))
        script.chmod(0o755)
