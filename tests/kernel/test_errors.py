"""Each error, printed once: culprit, place and cure are in its line."""

from __future__ import annotations

from vinc_kernel import errors
from vinc_kernel.errors import ConnectionAbsent, Fault, ManifestError, Problem, SettingsError, StartError, StartErrors


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


def test_a_start_error_is_one_line_with_plugin_phase_place_and_cure() -> None:
    one = StartError("it hangs", plugin="a", phase="import", where="a/plugin.py:3", cure="mend it")
    other = StartError("it raises", plugin="b", phase="check", where="b/plugin.py:1", cure="mend it too")

    assert str(one) == "a: import: it hangs (a/plugin.py:3); mend it"
    assert str(StartErrors([one, other])).splitlines() == [str(one), str(other)]


def test_the_others_say_where_and_what_to_do() -> None:
    assert str(ManifestError("is no TOML", where="plugins.toml", cure="mend it")) == "plugins.toml: is no TOML; mend it"
    assert str(ConnectionAbsent("Redis", "VINC_REDIS_URL")) == "there is no Redis here: set VINC_REDIS_URL"
    assert str(SettingsError(["VINC_A: wrong", "VINC_B: wrong"])) == "VINC_A: wrong\nVINC_B: wrong"
    fault = Fault(place="body", pointer="/a", code="missing", message="is missing")
    assert fault.as_json() == {"in": "body", "pointer": "/a", "code": "missing", "message": "is missing"}
