"""The documents agree with the code: hooks, settings, problems, keys, commands, and the example's files."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from vinc_kernel import Conflict, errors
from vinc_kernel.cli import parser
from vinc_kernel.errors import Problem
from vinc_kernel.hookspecs import HOOKS
from vinc_kernel.manifest import RESERVED_KEYS, read_manifest
from vinc_kernel.settings import KernelSettings, PluginSettings, Sources, read_settings

from ..pages import ROOT, blocks, page, rows, section, shown_files

EXAMPLE = ROOT / "examples/acme-invoices"
AUTHORS, OPERATORS, PROBLEMS = "docs/plugins.md", "docs/operators.md", "docs/problems.md"
FIRST_CODE = 30  # lines before the first command


def signatures() -> list[str]:
    return [f"{name}{inspect.signature(hook.spec)}".replace("'", "") for name, hook in HOOKS.items()]


def test_every_hook_has_a_heading_with_its_exact_signature() -> None:
    below = section(page(AUTHORS), "## Hooks").splitlines()

    assert [line[5:-1] for line in below if line.startswith("### `")] == signatures()


def test_the_settings_page_has_every_setting_with_its_default() -> None:
    _, origins = read_settings(Sources({}))
    table = rows(section(page(OPERATORS), "## Settings"))

    assert [(name, default) for name, default, _ in table] == [(one.name, one.shown) for one in origins]
    assert all(meaning for *_, meaning in table)


def test_the_page_on_the_manifest_has_every_key() -> None:
    table = rows(section(page(OPERATORS), "## Which plugins run: plugins.toml"))

    assert [key for key, *_ in table] == list(RESERVED_KEYS)


def test_the_manifest_that_is_shown_can_be_read(tmp_path: Path) -> None:
    (shown,) = blocks(page(OPERATORS), "toml")
    path = tmp_path / "plugins.toml"
    path.write_text(shown)
    manifest = read_manifest(KernelSettings(plugins=PluginSettings.model_validate({"file": path})))

    assert list(manifest.entries) == ["health", "tenants", "invoices"]
    assert manifest.entries["invoices"].settings == {"printer_url": "http://printer.office:9100"}


def test_the_problem_that_is_defined_has_the_type_that_is_described() -> None:
    (shown,) = [block for block in blocks(page(AUTHORS), "python") if "(Conflict)" in block]
    with pytest.raises(Conflict) as caught:
        exec(shown, {"Conflict": Conflict, "__name__": "shown"})

    assert f"answers {caught.value.status} with the type `{caught.value.type}`" in page(AUTHORS)
    assert caught.value.title == "The invoice is paid already"


def test_the_page_on_problems_has_every_problem_with_its_status() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Problem)]
    table = rows(page(PROBLEMS))

    assert [(kind, int(status)) for kind, status, _ in table] == [
        (one.type, one.status) for one in kinds if one is not Problem
    ]


def test_the_code_that_is_shown_is_the_examples() -> None:
    shown = shown_files(page(AUTHORS))

    assert "acme_invoices/plugin.py" in shown
    for name, text in shown.items():
        assert text == (EXAMPLE / name).read_text(), f"{name} is not as {AUTHORS} shows it: paste it again"


def test_the_tests_that_are_shown_are_the_examples() -> None:
    shown = [block for block in blocks(page(AUTHORS), "python") if "async def test_" in block]
    tests = "".join(path.read_text() for path in (EXAMPLE / "tests").glob("test_*.py"))

    assert shown
    assert [block for block in shown if block not in tests] == []


@pytest.mark.parametrize("command", ["serve", "plugins", "check", "settings", "db"])
def test_every_command_stands_in_a_block_that_is_run(command: str) -> None:
    lines = [line for name in (AUTHORS, OPERATORS) for block in blocks(page(name), "sh") for line in block.splitlines()]
    missing = [words for words in commands(parser(), "vinc") if words.split()[1] == command]

    assert missing
    assert [words for words in missing if not any(f"{line} ".startswith(f"{words} ") for line in lines)] == []


def commands(parser: argparse.ArgumentParser, words: str) -> Iterator[str]:
    """Yield every command below this one, as it is typed; one that needs an action is none by itself."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for group in groups:
        for name, below in group.choices.items():
            yield from commands(below, f"{words} {name}")
    if words != "vinc" and not any(group.required for group in groups):
        yield words


def test_the_first_code_of_the_readme_comes_soon() -> None:
    lines = page("README.md").splitlines()

    assert next(number for number, line in enumerate(lines, 1) if line.startswith("```sh")) <= FIRST_CODE
