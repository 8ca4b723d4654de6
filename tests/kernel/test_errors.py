"""Each error, printed once: culprit, place and cure are in its line."""

from __future__ import annotations

from vinc_kernel import errors
from vinc_kernel.errors import Problem


def every_problem(kind: type[Problem] = Problem) -> list[type[Problem]]:
    return [kind, *(below for child in kind.__subclasses__() for below in every_problem(child))]


def test_the_tree_in_the_docstring_names_every_error_of_the_file() -> None:
    drawn = errors.__doc__ or ""
    here = [name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)]

    assert [name for name in here if name not in drawn] == ["StartErrors"]


def test_every_problem_has_a_status_a_title_and_a_type_of_its_own() -> None:
    kinds = [kind for kind in every_problem() if kind.__module__ == errors.__name__]

    assert len({kind.type for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert 400 <= kind.status <= 599
        assert kind.type.startswith("urn:vinc:problem:")
        assert not kind.title.endswith(".")
        assert kind.title in str(kind())
        assert str(kind("what happened")) == "what happened"
