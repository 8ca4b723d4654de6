"""Every hook is explained, and run in a real application by a test that says so."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from vinc_kernel.hookspecs import HOOKS

ROOT = Path(__file__).parents[2]
EXERCISED = "tests/contract/test_hooks.py"
TESTS = {
    "contribute": "test_what_contribute_gives_is_served",
    "lifespan": "test_lifespan_is_around_serving_and_offers_services",
    "health": "test_health_that_raises_is_down",
    "tenant_created": "test_tenant_created_gets_the_new_tenant",
    "tenant_purge": "test_tenant_purge_gets_the_tenant_that_goes",
}


def test_every_hook_has_a_test_and_every_test_a_hook() -> None:
    assert set(TESTS) == set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_explained_in_a_sentence(name: str) -> None:
    text = inspect.getdoc(HOOKS[name].spec)

    assert text
    assert text.partition("\n")[0].endswith(".")


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_takes_at_most_one_argument(name: str) -> None:
    assert len(inspect.signature(HOOKS[name].spec).parameters) <= 1


@pytest.mark.parametrize("name", HOOKS)
def test_the_test_of_a_hook_implements_it(name: str) -> None:
    tree = ast.parse((ROOT / EXERCISED).read_text("utf-8"))
    tests = {node.name: node for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}

    assert f"@hooks.{name}" in ast.unparse(tests[TESTS[name]])
