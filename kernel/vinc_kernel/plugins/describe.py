"""Refuse what no caller could be told: annotations that name nothing, and types without a JSON schema."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import TypeAdapter

from ..annotations import unresolved
from ..endpoints import Endpoint, line_of
from ..fastapi_adapter import RESULT, Parameter, is_described, parameters_of, results_of
from .arrange import Plugin
from .load import text_of

AT_MODULE = "define that at the module's level, and import it outside of `if TYPE_CHECKING`"
NO_SCHEMA = "give its type a JSON schema, or keep the route out with include_in_schema=False"


def refuse_undescribed(plugin: Plugin, endpoints: Iterable[Endpoint]) -> None:
    """Raise StartError for the first of them; each type is looked at once, since its schema may take a millisecond."""
    seen: set[Any] = set()
    for route in (endpoint.route for endpoint in endpoints):
        for one in (*parameters_of(route), *results_of(route)):
            function = getattr(one.function, "__qualname__", type(one.function).__name__)
            part = "result" if one.place == RESULT else f"parameter {one.name!r}"
            if name := unresolved(one.info.annotation):
                what = f"{function}: {part}: its annotation {name!r} names nothing"
                raise plugin.error("check", what, AT_MODULE, line_of(one.function))
            kind = (one.place == RESULT, str(one.info.metadata), one.info.annotation)
            if is_described(route, one) and kind not in seen:
                seen.add(kind)
                try:
                    make_schema(one)
                except Exception as error:
                    what = f"{function}: {part}: OpenAPI cannot describe it: {text_of(error)}"
                    raise plugin.error("check", what, NO_SCHEMA, line_of(one.function)) from error


def make_schema(one: Parameter) -> None:
    with warnings.catch_warnings(action="ignore"):  # FastAPI ignores the same ones
        adapter: TypeAdapter[Any] = TypeAdapter(Annotated[one.info.annotation, one.info])  # type: ignore[arg-type]  # known at run time only
        adapter.json_schema(mode="serialization" if one.place == RESULT else "validation")
