"""Find every class that a value of an annotation may be, or contain, and every list without a length."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, MutableSequence, MutableSet, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import JsonValue

LISTS = frozenset(
    {list, tuple, set, frozenset, deque, Collection, Iterable, MutableSequence, MutableSet, Sequence, AbstractSet}
)


def classes_of(annotation: Any, seen: set[Any] | None = None) -> Iterator[type]:
    """Yield those of its arguments, and of the fields of models, dataclasses and typed dictionaries, at any depth."""
    seen = set() if seen is None else seen
    # A NewType keeps what it stands for under the one name, and `type X = ...` under the other.
    named = getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)
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
    annotation: Any, name: str, metadata: Iterable[Any] = (), seen: set[Any] | None = None
) -> Iterator[str]:
    """Yield the name of each list without `max_length` in the values of an annotation, as `order.lines`.

    Free JSON is none: nothing is validated in it, and a body has a bounded number of values.
    """
    seen = set() if seen is None else seen
    kind, parts = get_origin(annotation) or annotation, get_args(annotation)
    named = getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)
    if annotation is JsonValue:
        return
    if kind is Annotated:
        yield from unbounded_lists(parts[0], name, [*metadata, *parts[1:]], seen)
    elif named is not None:
        yield from unbounded_lists(named, name, metadata, seen)
    elif kind in (Union, UnionType):
        for part in parts:
            yield from unbounded_lists(part, name, metadata, seen)
    else:
        if is_list(kind, parts) and not any(map(has_max_length, metadata)):
            yield name
        for part in parts:
            yield from unbounded_lists(part, name, (), seen)
        if isinstance(kind, type) and kind not in seen:
            seen.add(kind)
            for field, inner, more in fields_of(kind):
                yield from unbounded_lists(inner, f"{name}.{field}", more, seen)


def is_list(kind: Any, parts: tuple[Any, ...]) -> bool:
    return isinstance(kind, type) and kind in LISTS and not (kind is tuple and parts and parts[-1] is not ...)


def has_max_length(constraint: Any) -> bool:
    within = getattr(constraint, "metadata", None) or [constraint]
    return any(getattr(one, "max_length", None) is not None for one in within)
