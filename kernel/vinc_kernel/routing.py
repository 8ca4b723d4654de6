"""Find the endpoint of a path. Cost is flat in plugins: a dict on (literal beginning, number of segments)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from starlette.convertors import Convertor
from starlette.routing import compile_path
from starlette.types import Scope

from .endpoints import WEBSOCKET, Endpoint

ANY_NUMBER = -1
EMPTY: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for a method and a path: an endpoint, or the methods that the path would take."""

    endpoint: Endpoint | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()


class Candidate:
    """An endpoint whose path is compiled when it is first asked for: thousands at the start take a second."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    @cached_property
    def compiled(self) -> tuple[re.Pattern[str], Mapping[str, Convertor[Any]]]:
        regex, _, convertors = compile_path(self.endpoint.path)
        return regex, convertors


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
            bucket.sort(key=lambda candidate: specificity(candidate.endpoint))

    def find(self, path: str, method: str) -> Match:
        """The endpoint that answers; else the methods that others of this path take, which makes it a 405."""
        found = self.exact.get((path, method))
        if found is not None:
            return found
        allowed: set[str] = set()
        segments, end = path.count("/"), len(path)
        while end >= 0:
            literal = path[:end]
            for key in ((literal, segments), (literal, ANY_NUMBER)):
                for candidate in self.buckets.get(key, ()):
                    endpoint, (regex, convertors) = candidate.endpoint, candidate.compiled
                    matched = regex.match(path)
                    if matched is None:
                        continue
                    if method in endpoint.methods:
                        return Match(endpoint, converted(convertors, matched.groupdict()))
                    allowed |= endpoint.methods
            end = path.rfind("/", 0, end)
        return Match(allowed=frozenset(allowed - {WEBSOCKET}))


def specificity(endpoint: Endpoint) -> list[int]:
    """0 for a literal segment, 1 for a converter, 2 for a plain parameter, 3 for the rest of the path."""
    return [rank(segment) for segment in endpoint.path.split("/")]


def rank(segment: str) -> int:
    if "{" not in segment:
        return 0
    if ":path}" in segment:
        return 3
    return 1 if ":" in segment else 2


def converted(convertors: Mapping[str, Convertor[Any]], params: Mapping[str, str]) -> Mapping[str, Any]:
    return {name: convertors[name].convert(text) for name, text in params.items()}


def path_of(scope: Scope) -> str:
    """The path below the mount point of a proxy (ASGI's `root_path`)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def method_of(scope: Scope) -> str:
    method: str = scope["method"] if scope["type"] == "http" else WEBSOCKET
    return method
