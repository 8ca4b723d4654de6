"""A plugin that OpenAPI cannot describe: told with its function and parameter, and the others keep their document."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .conftest import Judge, Workshop

HEAD = """
from __future__ import annotations
from collections.abc import Callable
from typing import Annotated
from fastapi import APIRouter, Depends, WebSocket
from pydantic import BaseModel
from vinc_kernel import Contribution, hooks, public
router = APIRouter(prefix="/NAME", dependencies=[public("a test asks")])
class Opaque(BaseModel):
    call: Callable[[], int]
class Raises(BaseModel):
    @classmethod
    def __get_pydantic_json_schema__(cls, core, handler):
        raise SystemExit("no schema")
def read(x: Missing): ...  # read
@hooks.contribute
def contribute() -> Contribution:
    class Local(BaseModel):
        x: int
    CODE
    return Contribution(routers=[router])
"""
AT_MODULE = "define that at the module's level, and import it outside of `if TYPE_CHECKING`"
SCHEMA = "give its type a JSON schema, or keep the route out with include_in_schema=False"
CALLABLE = "OpenAPI cannot describe it: Cannot generate a JsonSchema for core_schema.CallableSchema For further"


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (
            "@router.post('') # here\n    async def f(body: Local): ...",
            "parameter 'body': its annotation 'Local' names",
        ),
        (
            "@router.post('') # here\n    async def f(body: list[Local]): ...",
            "parameter 'body': its annotation 'list[L",
        ),
        ("@router.get('') # here\n    async def f() -> Local: ...", "result: its annotation 'Local' names nothing"),
        ("@router.websocket('') # here\n    async def f(w: WebSocket, x: Local): ...", "parameter 'x': its annotation"),
        (
            "@router.get('', include_in_schema=False) # here\n    async def f(x: Local): ...",
            "parameter 'x': its annotation 'Local' names nothing",
        ),
        ("@router.post('') # here\n    async def f(body: Opaque): ...", f"parameter 'body': {CALLABLE}"),
        ("@router.post('') # here\n    async def f() -> list[Opaque]: ...", f"result: {CALLABLE}"),
        (
            "@router.get('', responses={404: {'model': Opaque}}) # here\n    async def f(): ...",
            f"result: {CALLABLE}",
        ),
    ],
)
def test_what_nobody_can_describe_stops_the_start(workshop: Workshop, code: str, what: str) -> None:
    workshop.plugin("bad", HEAD.replace("CODE", code))
    (line,) = workshop.errors()

    assert line.startswith(f"bad: check: contribute.<locals>.f: {what}")
    assert line.endswith(f"; {AT_MODULE if 'annotation' in what else SCHEMA}")
    assert re.sub(r":\d+$", "", workshop.here("bad")) in line


def test_a_dependency_that_nobody_can_describe_is_named_itself(judge: Judge) -> None:
    code = "@router.get('')\n    async def f(x: Annotated[int, Depends(read)]): ..."
    what = "its annotation 'Missing' names nothing"
    judge(f"bad: check: read: parameter 'x': {what} ({{# read}}); {AT_MODULE}", HEAD.replace("CODE", code))


async def test_an_optional_one_is_quarantined_and_the_document_has_the_others(workshop: Workshop, serving: Any) -> None:
    workshop.plugin("good")
    for name, code in {
        "opaque": "@router.post('')\n    async def f(body: Opaque): ...",
        "raises": "@router.post('')\n    async def f(body: Raises): ...",
        "extra": "router.add_api_route('', read.__class__(read.__code__, {}), openapi_extra={'x': object()})",
    }.items():
        workshop.plugin(name, HEAD.replace("x: Missing", "x: int").replace("CODE", code), required=False)
    app = workshop.app()
    states = app.runtime.registry.states

    assert {name for name, state in states.items() if state.phase == "check"} == {"opaque", "raises", "extra"}
    async with serving(app) as client:
        assert list((await client.get("/openapi.json")).json()["paths"]) == ["/api/v1/good"]


async def test_a_required_one_that_only_its_document_shows_is_left_out_and_told(
    workshop: Workshop, serving: Any, caplog: pytest.LogCaptureFixture
) -> None:
    code = "router.add_api_route('', Opaque, openapi_extra={'x': object()})"
    workshop.plugin("good")
    workshop.plugin("bad", HEAD.replace("CODE", code.replace("Opaque", "lambda: 1")))
    async with serving(workshop.app()) as client:
        assert list((await client.get("/openapi.json")).json()["paths"]) == ["/api/v1/good"]

    assert "bad: check: PydanticSerializationError" in caplog.text
    checked = workshop.vinc("check")
    assert (checked.returncode, checked.stdout) == (1, "")
    assert checked.stderr.startswith("vinc: bad: check: PydanticSerializationError")
