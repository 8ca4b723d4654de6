"""Two plugins that want one name: neither of two equals gets it, and a required one keeps it against optional ones."""

from __future__ import annotations

import re

import pytest

from ..conftest import client_of
from .conftest import Workshop

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
BOSS = "ROLE = Role(name='NAMEboss', title='Boss', rank=1, aliases=['boss'])  # here\n"
ROLE = HEAD + BOSS + CONTRIBUTE + "roles=[ROLE])"


@pytest.mark.parametrize("thief", ["aaa", "zzz"])
@pytest.mark.parametrize("required", [True, False])
def test_a_table_of_anothers_name_is_refused_whoever_is_loaded_first(
    workshop: Workshop, thief: str, required: bool
) -> None:
    code = HEAD + TABLE.replace("TABLE", "mine_thing") + CONTRIBUTE + "models=[Thing])"
    workshop.plugin("mine", code)
    workshop.plugin(thief, code, required=required)
    if required:
        line = next(one for one in workshop.errors() if one.startswith(f"{thief}: "))
    else:
        states = workshop.states()
        line = states[thief].why
        assert states["mine"].is_ready
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
    states = workshop.states()

    assert [state.why for state in states.values() if state.state == "quarantined"] == expected


ROUTES = """
from fastapi import APIRouter
from vinc_kernel import Contribution, hooks, public
router = APIRouter(dependencies=[public("a test asks")])
@router.get("PATH")  # here
async def NAME(user_id: str) -> str:
    return "NAME " + user_id
@hooks.contribute
def contribute():
    return Contribution(routers=[router])
"""


def users_and_notes(workshop: Workshop, users: str, notes: str) -> None:
    workshop.plugin("users", ROUTES.replace("PATH", users))
    workshop.plugin("notes", ROUTES.replace("PATH", notes), toml="prefixes = ['/users/{id}/notes']")


@pytest.mark.parametrize("notes", ["/users/{user_id}/notes", "/users/{user_id:str}/notes/last"])
async def test_a_granted_prefix_may_lie_below_the_root_of_another_plugin(workshop: Workshop, notes: str) -> None:
    users_and_notes(workshop, "/users/{user_id}", notes)
    client = client_of(workshop.app())

    assert (await client.get("/users/7")).json() == "users 7"
    assert (await client.get(f"/users/7/notes{notes.partition('notes')[2]}")).json() == "notes 7"


def test_two_routes_of_one_shape_collide_below_a_granted_prefix_too(workshop: Workshop) -> None:
    users_and_notes(workshop, "/users/{user_id}/notes", "/users/{user_id:str}/notes")
    what = f"the route GET /api/v1/users/{{}}/notes is users's as well, at {workshop.here('users')}"

    assert f"notes: check: {what} ({workshop.here('notes')}); rename one of them" in workshop.errors()


@pytest.mark.parametrize(
    "users",
    [
        "/users/{user_id:uuid}/notes",
        "/users/me/notes",
        "/users/me/{user_id}",
        "/users/{user_id}/{what}",
        "/users/{user_id}/n{what}s",
        "/users/{user_id:path}",
    ],
)
def test_routes_of_two_plugins_that_take_the_same_paths_collide(workshop: Workshop, users: str) -> None:
    users_and_notes(workshop, users, "/users/{user_id}/notes")
    shape = re.sub(r"{[a-z_]+", "{", users)
    what = f"the route GET /api/v1/users/{{}}/notes takes paths of users's GET /api/v1{shape}"

    assert any(
        f"notes: check: {what}, at {workshop.here('users')} ({workshop.here('notes')})" in error
        for error in workshop.errors()
    )
    assert len(workshop.errors()) == 2


@pytest.mark.parametrize(
    "users", ["/users/{user_id:int}/{number:int}", "/users/{user_id}/x{what}", "/users/{user_id}/notes/{note}"]
)
def test_routes_of_two_plugins_that_share_no_path_stand_side_by_side(workshop: Workshop, users: str) -> None:
    users_and_notes(workshop, users, "/users/{user_id}/notes")

    assert workshop.app()


@pytest.mark.parametrize(
    "path", ["/users/{user_id}", "/users/me/notes", "/users/{user_id:path}/notes", "/users/{user_id}/notes2"]
)
def test_a_route_beside_its_granted_prefix_is_refused(workshop: Workshop, path: str) -> None:
    users_and_notes(workshop, "/users", path)
    what = f"the route {path} lies outside /notes or /users/{{id}}/notes ({workshop.here('notes')})"

    assert workshop.errors() == [f"notes: check: {what}; move it, or grant `prefixes`"]
