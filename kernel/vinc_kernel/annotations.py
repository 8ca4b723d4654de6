"""Find every class that a value of an annotation may be, or contain, and every list without a length."""

from __future__ import annotations

from collections import abc, deque
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, ForwardRef, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import JsonValue
from pydantic.fields import FieldInfo

LISTS = (list, tuple, set, frozenset, deque, Iterable, abc.Sequence, abc.MutableSequence, abc.Set, abc.MutableSet)


def classes_of(annotation: Any, seen: set[Any] | None = None) -> Iterator[type]:
    """Yield those of its arguments, and of the fields of models, dataclasses and typed dictionaries, at any depth."""
    seen = set() if seen is None else seen
    named = named_type(annotation)
    if named is not None:
        if annotation in seen:  # `type X = list[X] | None`
            return
        seen.add(annotation)
    parts = [named, get_origin(annotation), *get_args(annotation)]
    if isinstance(annotation, type) and annotation not in seen:
        seen.add(annotation)
        yield annotation
        parts += [hint for _, hint, _ in fields_of(annotation)]
    for part in parts:
        if part is not None:
            yield from classes_of(part, seen)


def fields_of(cls: type) -> Iterator[tuple[str, Any, Iterable[Any]]]:
    """Yield the name, the annotation and the constraints of each field."""
    declared = getattr(cls, "__pydantic_fields__", None)
    if declared is not None:
        yield from ((name, info.annotation, info.metadata) for name, info in declared.items())
    elif is_dataclass(cls) or hasattr(cls, "__total__"):  # of a TypedDict, whichever module it is from
        yield from ((name, hint, ()) for name, hint in get_type_hints(cls, include_extras=True).items())


def unbounded_lists(
    annotation: Any, name: str, constraints: Iterable[Any] = (), seen: set[Any] | None = None
) -> Iterator[str]:
    """Yield the name of each list without `max_length` in the values of an annotation, as `order.lines`.

    Free JSON is none: nothing is validated in it, and a body has a bounded number of values.
    """
    seen = set() if seen is None else seen
    kind, parts = get_origin(annotation) or annotation, get_args(annotation)
    if annotation is JsonValue:
        return
    if kind is Annotated:
        info = FieldInfo.from_annotation(annotation)
        parts, constraints = (info.annotation,), [*constraints, *info.metadata]
    elif named := named_type(annotation):
        parts = () if annotation in seen else (named,)
        seen.add(annotation)
    elif kind not in (Union, UnionType):
        is_fixed = kind is tuple and parts and parts[-1] is not ...
        has_length = any(getattr(one, "max_length", None) is not None for one in constraints)
        if kind in LISTS and not is_fixed and not has_length:
            yield name
        constraints = ()
        if isinstance(kind, type) and kind not in seen:
            seen.add(kind)
            for field, inner, own in fields_of(kind):
                yield from unbounded_lists(inner, f"{name}.{field}", own, seen)
    for part in parts:
        yield from unbounded_lists(part, name, constraints, seen)


def named_type(annotation: Any) -> Any:
    """Return what a NewType, or `type X = ...`, stands for."""
    return getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)


def unresolved(annotation: Any) -> str | None:
    """Return the first name in an annotation that stands for nothing; None where all of it are types."""
    if isinstance(annotation, ForwardRef | str):
        return annotation if isinstance(annotation, str) else annotation.__forward_arg__
    origin, parts = get_origin(annotation), get_args(annotation)
    parts = () if origin is Literal else parts[:1] if origin is Annotated else parts
    return next((name for part in parts if (name := unresolved(part))), None)
