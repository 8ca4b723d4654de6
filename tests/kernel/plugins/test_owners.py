"""Two plugins that want one name: neither of two equals gets it, and a required one keeps it against optional ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.plugins.conftest import Workshop

HEAD = """
from sqlalchemy.orm import Mapped, mapped_column
from vinc_kernel import Base, Capability, Contribution, Role, TenantDirectory, hooks
"""
CONTRIBUTE = "@hooks.contribute\ndef contribute():\n    return Contribution("
TABLE = """
class Thing(Base):  # here
    __tablename__ = "TABLE"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
DIRECTORY = HEAD + CONTRIBUTE + "provides=[TenantDirectory])  # here"
ROLE = (
    HEAD
    + "ROLE = Role(name='NAMEboss', title='Boss', rank=1, aliases=['boss'])  # here\n"
    + CONTRIBUTE
    + "roles=[ROLE])"
)


@pytest.mark.parametrize("thief", ["aaa", "zzz"])
@pytest.mark.parametrize("required", [True, False])
def test_a_table_of_anothers_name_is_refused_whoever_is_loaded_first(
    workshop: Workshop, thief: str, required: bool
) -> None:
    code = HEAD + TABLE.replace("TABLE", "mine_thing") + CONTRIBUTE + "models=[Thing])"
    workshop.plugin("mine", code)
    workshop.plugin(thief, code, required=required)
    if required:
        (line,) = workshop.errors()
    else:
        app = workshop.app()
        line = app.runtime.registry.states[thief].why
        assert app.runtime.registry.states["mine"].state == "ready"
    what = (
        "the table 'mine_thing' is already mine's" if thief == "zzz" else "the table 'mine_thing' is not this plugin's"
    )

    assert what in line
    assert f"({workshop.here(thief)}); " in line


@pytest.mark.parametrize(("code", "kind"), [(DIRECTORY, "directory TenantDirectory"), (ROLE, "role boss")])
@pytest.mark.parametrize(
    ("one", "two", "refused"),
    [(True, True, ["one", "two"]), (False, False, ["one", "two"]), (True, False, ["two"]), (False, True, ["one"])],
)
def test_of_two_that_want_one_name_the_required_one_gets_it(
    workshop: Workshop, code: str, kind: str, one: bool, two: bool, refused: list[str]
) -> None:
    workshop.plugin("one", code, required=one)
    workshop.plugin("two", code, required=two)
    other = {"one": "two", "two": "one"}
    expected = [
        f"{name}: check: the {kind} is {other[name]}'s as well, at {workshop.here(other[name])} "
        f"({workshop.here(name)}); rename one of them"
        for name in refused
    ]
    if one and two:
        assert workshop.errors() == expected
        return
    states = workshop.app().runtime.registry.states

    assert [state.why for state in states.values() if state.state == "quarantined"] == expected
