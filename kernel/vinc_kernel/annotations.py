"""Find every class that a value of an annotation may be, or contain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Annotated, Any, ForwardRef, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel


def classes_of(annotation: Any, seen: set[Any] | None = None) -> Iterator[type]:
    """Yield those of its arguments, and of the fields of models, dataclasses and typed dictionaries, at any depth."""
    seen = set() if seen is None else seen
    # A NewType keeps what it stands for under the one name, and `type X = ...` under the other.
    named = getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)
    parts = [named, get_origin(annotation), *get_args(annotation)]
    if isinstance(annotation, type) and annotation not in seen:
        seen.add(annotation)
        yield annotation
        parts += fields_of(annotation)
    for part in parts:
        if part is not None:
            yield from classes_of(part, seen)


def unresolved(annotation: Any) -> str | None:
    """Return the first name in an annotation that stands for nothing; None where all of it are types."""
    if isinstance(annotation, ForwardRef | str):
        return annotation if isinstance(annotation, str) else annotation.__forward_arg__
    origin, parts = get_origin(annotation), get_args(annotation)
    parts = () if origin is Literal else parts[:1] if origin is Annotated else parts
    return next((name for part in parts if (name := unresolved(part))), None)


def fields_of(cls: type) -> list[Any]:
    if issubclass(cls, BaseModel):
        return [field.annotation for field in cls.model_fields.values()]
    if is_dataclass(cls) or hasattr(cls, "__total__"):  # of a TypedDict, whichever module it is from
        return list(get_type_hints(cls).values())
    return []
