"""Find the endpoint of a path. Cost is flat in plugins: a dict on (literal beginning, number of segments)."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from starlette.convertors import Convertor
from starlette.types import Scope

from .endpoints import WEBSOCKET, Endpoint
from .fastapi_adapter import compile_pattern

ANY_NUMBER = -1
EMPTY: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for a method and a path: an endpoint, or those that take the path with other methods."""

    endpoint: Endpoint | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[Endpoint, ...] = ()

    def allowed(self, without: Container[str] = ()) -> frozenset[str]:
        """The methods that the path would take, but for plugins that are left out."""
        methods = frozenset().union(*(one.methods for one in self.others if one.plugin not in without))
        return methods - {WEBSOCKET}


class Candidate:
    """An endpoint whose path is compiled when it is first asked for: thousands at the start take a second."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    @cached_property
    def compiled(self) -> tuple[re.Pattern[str], Mapping[str, Convertor[Any]]]:
        return compile_pattern(self.endpoint.path)


class Index:
    """Endpoints by their literal leading segments and their number of segments.

    The longest literal beginning is asked first, so the most specific route wins in whatever order the plugins came.
    Inside one beginning a literal segment goes before a converter, that before a plain parameter, that before
    `{x:path}` and mounts. The route's own regular expression decides and converts.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.exact: dict[tuple[str, str], Match] = {}
        self.buckets: dict[tuple[str, int], list[Candidate]] = {}
        for endpoint in endpoints:
            path = endpoint.path
            if "{" not in path:
                for method in endpoint.methods:
                    self.exact.setdefault((path, method), Match(endpoint, EMPTY))
            literal = path[: path.index("{")].rpartition("/")[0] if "{" in path else path
            segments = ANY_NUMBER if ":path}" in path else path.count("/")
            self.buckets.setdefault((literal, segments), []).append(Candidate(endpoint))
        for bucket in self.buckets.values():
            if len(bucket) > 1:
                bucket.sort(key=lambda candidate: specificity(candidate.endpoint))

    def find(self, path: str, method: str) -> Match:
        """The endpoint that answers; else those that take other methods at this path, which makes it a 405."""
        found = self.exact.get((path, method))
        if found is not None:
            return found
        others: list[Endpoint] = []
        segments, end = path.count("/"), len(path)
        while end >= 0:
            literal = path[:end]
            for key in ((literal, segments), (literal, ANY_NUMBER)):
                for candidate in self.buckets.get(key, ()):
                    endpoint, (regex, convertors) = candidate.endpoint, candidate.compiled
                    matched = regex.fullmatch(path)  # `$` alone would let a newline through
                    params = converted(convertors, matched.groupdict()) if matched else None
                    if params is None:
                        continue
                    if method in endpoint.methods:
                        return Match(endpoint, params)
                    others.append(endpoint)
            end = path.rfind("/", 0, end)
        return Match(others=tuple(others))


def specificity(endpoint: Endpoint) -> tuple[list[tuple[int, int]], str]:
    """How specific a path is, segment by segment; of two that are equally so the first by name, never by order."""
    return [*(rank(segment) for segment in endpoint.path.split("/")), END], endpoint.shape


def rank(segment: str) -> tuple[int, int]:
    """A literal goes before a converter, that before a plain parameter, that before the rest of the path.

    Of two alike the one with more literal text goes first, and whole numbers before others.
    """
    literal = len(re.sub(r"{[^}]*}", "", segment))
    if "{" not in segment:
        return 0, 0
    if ":path}" in segment:
        return 4, -literal
    if ":" in segment:
        return 2 if ":float}" in segment else 1, -literal
    return 3, -literal


END = (5, 0)  # after it nothing: `{rest:path}/edit` says more than `{rest:path}`


def converted(convertors: Mapping[str, Convertor[Any]], params: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The parameters as their types; None for a text that a converter refuses, like a number of 5,000 digits."""
    try:
        return {name: convertors[name].convert(text) for name, text in params.items()}
    except ValueError:
        return None


def path_of(scope: Scope) -> str:
    """The path below the mount point of a proxy (ASGI's `root_path`)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def method_of(scope: Scope) -> str:
    method: str = scope["method"] if scope["type"] == "http" else WEBSOCKET
    return method
