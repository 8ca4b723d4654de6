"""Find the endpoint of a path, at a cost that does not grow with the number of plugins."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from starlette.convertors import Convertor
from starlette.types import Scope

from .endpoints import WEBSOCKET, Endpoint
from .fastapi_adapter import compile_pattern

ANY_NUMBER = -1
EMPTY: Mapping[str, Any] = {}
compiled = cache(compile_pattern)  # on first use: to compile thousands at the start takes a second


@dataclass(frozen=True, slots=True)
class Match:
    """The endpoint of a method and a path, or those that take the path with other methods."""

    endpoint: Endpoint | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[Endpoint, ...] = ()

    def allowed(self, without: Container[str] = ()) -> frozenset[str]:
        """Return the methods that the path takes, without the plugins that are left out."""
        methods = frozenset().union(*(one.methods for one in self.others if one.plugin not in without))
        return methods - {WEBSOCKET}


class Index:
    """Endpoints by their literal leading segments and their number of segments.

    The longest literal beginning is tried first, so the most specific route wins whatever the order of the plugins.
    Within one beginning a literal segment comes before a converter, a converter before a plain parameter, and that
    before `{x:path}` and mounts. The path's regular expression decides and converts.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.exact: dict[tuple[str, str], Match] = {}
        self.buckets: dict[tuple[str, int], list[Endpoint]] = {}
        self.longest = 0  # of the literals
        for endpoint in endpoints:
            path = endpoint.path
            if "{" not in path:
                for method in endpoint.methods:
                    self.exact.setdefault((path, method), Match(endpoint, EMPTY))
            literal = path[: path.index("{")].rpartition("/")[0] if "{" in path else path
            segments = ANY_NUMBER if ":path}" in path else path.count("/")
            self.buckets.setdefault((literal, segments), []).append(endpoint)
            self.longest = max(self.longest, len(literal))
        for bucket in self.buckets.values():
            if len(bucket) > 1:
                bucket.sort(key=specificity)

    def find(self, path: str, method: str) -> Match:
        """Return the endpoint of a request; without one, those that take other methods at this path (405)."""
        found = self.exact.get((path, method))
        if found is not None:
            return found
        others: list[Endpoint] = []
        segments, end = path.count("/"), len(path)
        if end > self.longest:
            end = path.rfind("/", 0, self.longest + 1)
        while end >= 0:
            literal = path[:end]
            for key in ((literal, segments), (literal, ANY_NUMBER)):
                for endpoint in self.buckets.get(key, ()):
                    regex, convertors = compiled(endpoint.path)
                    matched = regex.fullmatch(path)  # `$` alone would let a newline through
                    params = convert(convertors, matched.groupdict()) if matched else None
                    if params is None:
                        continue
                    if method in endpoint.methods:
                        return Match(endpoint, params)
                    others.append(endpoint)
            end = path.rfind("/", 0, end)
        return Match(others=tuple(others))


def specificity(endpoint: Endpoint) -> tuple[list[tuple[int, int]], str]:
    """Return a sort key by how specific the segments of a path are; ties are broken by name, never by order."""
    return [*(rank(segment) for segment in endpoint.path.split("/")), END], endpoint.shape


def rank(segment: str) -> tuple[int, int]:
    """Return the sort key of a segment: a literal, a converter, a plain parameter, the rest of the path.

    Of two alike the one with more literal text comes first, and whole numbers before other numbers.
    """
    literal = len(re.sub(r"{[^}]*}", "", segment))
    if "{" not in segment:
        return 0, 0
    if ":path}" in segment:
        return 4, -literal
    if ":" in segment:
        return 2 if ":float}" in segment else 1, -literal
    return 3, -literal


END = (5, 0)  # sorts behind any segment: `{rest:path}/edit` comes before `{rest:path}`


def convert(convertors: Mapping[str, Convertor[Any]], params: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return the converted parameters; None when a converter refuses one, like a number of 5,000 digits."""
    try:
        return {name: convertors[name].convert(text) for name, text in params.items()}
    except ValueError:
        return None


def path_of(scope: Scope) -> str:
    """Return the path without ASGI's `root_path`, where a proxy serves the application."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def method_of(scope: Scope) -> str:
    method: str = scope["method"] if scope["type"] == "http" else WEBSOCKET
    return method
