"""Every hook is documented."""

from __future__ import annotations

import inspect

import pytest

from vinc_kernel.hookspecs import HOOKS


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_explained_in_a_sentence(name: str) -> None:
    text = inspect.getdoc(HOOKS[name].spec)

    assert text
    assert text.partition("\n")[0].endswith(".")


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_takes_at_most_one_argument_and_a_listener_its_events_too(name: str) -> None:
    parameters = list(inspect.signature(HOOKS[name].spec).parameters)

    assert len(parameters) <= 1 or (name, parameters) == ("on", ["events", "context"])
