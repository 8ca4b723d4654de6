"""Refuse what no caller could be told: annotations that name nothing, and types without a JSON schema."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import TypeAdapter

from ..annotations import unresolved
from ..endpoints import Endpoint, line_of
from ..errors import StartError
from ..fastapi_adapter import Described, described_by
from .arrange import Plugin
from .load import text_of


def refuse_undescribed(plugin: Plugin, endpoints: Iterable[Endpoint]) -> None:
    """Raise StartError for the first of them; each type is looked at once, since its schema may take a millisecond."""
    seen: set[Any] = set()
    for endpoint in endpoints:
        for one in described_by(endpoint.route):
            if name := unresolved(one.info.annotation):
                what = f"its annotation {name!r} names nothing"
                cure = "define that at the module's level, and import it outside of `if TYPE_CHECKING`"
                raise described_error(plugin, one, what, cure)
            kind = (one.is_result, str(one.info.metadata), one.info.annotation)
            if one.in_schema and kind not in seen:
                seen.add(kind)
                refuse_without_schema(plugin, one)


def refuse_without_schema(plugin: Plugin, one: Described) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):  # FastAPI ignores the same ones
            adapter: TypeAdapter[Any] = TypeAdapter(Annotated[one.info.annotation, one.info])  # type: ignore[arg-type]  # known at run time only
            adapter.json_schema(mode="serialization" if one.is_result else "validation")
    except Exception as error:
        what = f"OpenAPI cannot describe it: {text_of(error)}"
        cure = "give its type a JSON schema, or keep the route out with include_in_schema=False"
        raise described_error(plugin, one, what, cure) from error


def described_error(plugin: Plugin, one: Described, what: str, cure: str) -> StartError:
    function = getattr(one.function, "__qualname__", type(one.function).__name__)
    part = "result" if one.is_result else f"parameter {one.name!r}"
    return plugin.error("check", f"{function}: {part}: {what}", cure, line_of(one.function))
