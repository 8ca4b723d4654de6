"""The workspace: what installs it names exact versions and no places, and every distribution is complete."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..integration.new_environment import needed

ROOT = Path(__file__).parents[2]
OURS = ("kernel", "migrations", "testing")
FOLDERS = (*OURS, "plugins/*", "examples/*")
DISTRIBUTIONS = sorted(path.parent for folder in FOLDERS for path in ROOT.glob(f"{folder}/pyproject.toml"))
PLUGINS = [folder for folder in DISTRIBUTIONS if folder.name not in OURS]
PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][A-Za-z0-9.!+]*)").fullmatch
# Hosts and addresses that packages come from, and directories of one machine; written so that this is none.
PLACES = re.compile(
    r"pytho[n]hosted|pyp[i]\.org|inde[x]-url|fin[d]-links|truste[d]-host|npmj[s]\.|http[s]?://[^\s\"'`)>]*/(simple|wheels)\b"
    r"|/wor[k]/(main|shared)|/tm[p]/w/|/roo[t]/",
    re.IGNORECASE,
)


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def lines_of(name: str) -> list[str]:
    given = (ROOT / name).read_text().splitlines()
    return [line for line in given if line and not line.startswith("#")]


def pins() -> dict[str, str]:
    found = [PINNED(line) for line in lines_of("constraints.txt")]
    return {canonicalize_name(one[1]): one[2] for one in found if one}


def test_constraints_are_names_with_exact_versions_and_nothing_else() -> None:
    assert [line for line in lines_of("constraints.txt") if not PINNED(line)] == []
    assert len(pins()) == len(lines_of("constraints.txt"))


def test_requirements_list_the_constraints_and_the_distributions_of_the_application() -> None:
    folders = [
        "kernel",
        "migrations",
        *sorted(f"plugins/{path.parent.name}" for path in ROOT.glob("plugins/*/pyproject.toml")),
    ]

    assert lines_of("requirements.txt") == ["-c constraints.txt", *(f"-e ./{folder}" for folder in folders)]
    assert sorted(project(ROOT)["project"]["dependencies"]) == sorted(
        project(ROOT / folder)["project"]["name"] for folder in folders
    )


def test_the_kernel_and_what_goes_with_it_have_one_version() -> None:
    kernel = project(ROOT / "kernel")["project"]["version"]
    beside = [project(ROOT / folder)["project"] for folder in ("migrations", "testing")]
    needed = [line for made in beside for line in made["dependencies"] if line.startswith("vinc-")]

    assert {made["version"] for made in beside} == {kernel}
    assert all(line.endswith(f"=={kernel}") for line in needed)


def test_what_developers_need_is_the_same_for_pip_and_uv() -> None:
    listed = [line for line in lines_of("requirements-dev.txt") if not line.startswith("-")]
    grouped = [name for name in project(ROOT)["dependency-groups"]["dev"] if not name.startswith("vinc-")]

    assert grouped == listed


def test_everything_that_is_needed_is_pinned() -> None:
    """Whatever our files ask for, directly or through others, on this machine."""
    asked = [one for folder in DISTRIBUTIONS for one in requirements_of(project(folder))]
    asked += [Requirement(line) for line in lines_of("requirements-dev.txt") if not line.startswith("-")]
    found = {canonicalize_name(one.name) for one in needed(map(str, asked))}

    assert found - pins().keys() == set()


def requirements_of(made: dict[str, Any]) -> list[Requirement]:
    lines = [*made["project"]["dependencies"], *made["build-system"]["requires"]]
    for extra in made["project"].get("optional-dependencies", {}).values():
        lines += extra
    return [one for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate({"extra": ""})]


@pytest.mark.parametrize("folder", [ROOT, *DISTRIBUTIONS], ids=lambda folder: folder.name)
def test_what_builds_a_distribution_is_exact_and_pinned(folder: Path) -> None:
    requires = project(folder)["build-system"]["requires"]

    assert [line for line in requires if not PINNED(line)] == []
    assert [line for line in requires if line not in lines_of("constraints.txt")] == []


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: folder.name)
def test_a_distribution_is_typed_and_says_what_it_is(folder: Path) -> None:
    made = project(folder)
    (package,) = made["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert (folder / package / "py.typed").read_bytes() == b""
    assert (folder / package / "__init__.py").read_text().startswith('"""')
    assert made["project"]["readme"] == "README.md"
    assert len((folder / "README.md").read_text().splitlines()) > 5
    assert made["project"]["requires-python"] == ">=3.11"


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_has_one_entry_point_and_says_which_kernel_it_needs(folder: Path) -> None:
    made = project(folder)["project"]
    (package,) = project(folder)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    tree = (folder / package / "__init__.py").read_text()

    assert list(made["entry-points"]["vinc.plugins"].values()) == [f"{package}.plugin"]
    assert "vinc-kernel>=0.1,<0.2" in made["dependencies"]
    assert tree.count("\n") == 1, "the package holds a docstring and nothing else"


def test_no_file_names_a_place_that_packages_come_from() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files()
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if PLACES.search(line)
    ]

    assert found == []


def files() -> list[Path]:
    """What is, or may become, part of the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("name", [".env", ".venv/", ".vinc/", "__pycache__/", "dist/", "uv.lock"])
def test_what_is_made_here_is_not_kept(name: str) -> None:
    assert name in lines_of(".gitignore")
