"""Requests of the walk, their responses, and what may differ between two that must be indistinguishable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .statements import StatementLog

if TYPE_CHECKING:
    import httpx

PER_RESPONSE = frozenset({"x-request-id", "date"})  # headers that differ from one response to the next
MAX_SHOWN = 200  # characters of a response that a finding repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `names` are the values in it that its response may repeat."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    names: tuple[str, ...] = ()

    def contains(self, text: str) -> bool:
        """Return whether the client sends this text itself, so that a response with it reveals nothing."""
        parts = [self.path, *self.query.values(), *self.headers.values(), (self.body or b"").decode("utf-8", "replace")]
        return any(text in part for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response, and the SQL statements that the application ran for it."""

    request: Request
    status: int
    headers: tuple[tuple[str, str], ...]
    text: str
    statements: tuple[str, ...]

    @property
    def is_success(self) -> bool:
        return self.status < 400  # noqa: PLR2004  RFC 9110, 15.5

    @property
    def comparable(self) -> tuple[int, tuple[tuple[str, str], ...], str]:
        """Everything that a client sees, without the values that the request names and those of each response."""
        ids = [value for name, value in self.headers if name == "x-request-id"]
        hidden = [*self.request.names, *ids]
        headers = tuple((name, mask(value, hidden)) for name, value in self.headers if name not in PER_RESPONSE)
        return self.status, headers, mask(self.text, hidden)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def leaked(self, secrets: Collection[str]) -> list[str]:
        """Return those of the secrets that the response contains and the request did not."""
        content = "\n".join([self.text, *(value for _, value in self.headers)])
        return sorted(one for one in secrets if one in content and not self.request.contains(one))

    def __str__(self) -> str:
        return f"{self.status} {self.text[:MAX_SHOWN]}".strip()


def mask(text: str, values: Sequence[str]) -> str:
    """Return the text with each value replaced by `*`, the longest first."""
    for value in sorted(filter(None, values), key=len, reverse=True):
        text = text.replace(value, "*")
    return text


def differences(one: Response, other: Response) -> Iterator[str]:
    """Describe how the first response differs from the second."""
    (status, headers, text), (other_status, other_headers, other_text) = one.comparable, other.comparable
    if status != other_status:
        yield f"the status is {status}, not {other_status}"
    elif text != other_text:
        yield f"the body is {text[:MAX_SHOWN]!r}, not {other_text[:MAX_SHOWN]!r}"
    if status == other_status and headers != other_headers:
        yield f"the headers differ: {sorted(set(headers) ^ set(other_headers))}"
    if one.statements != other.statements:
        first, second = (" · ".join(" ".join(each.split()) for each in sent.statements) for sent in (one, other))
        yield f"it costs {len(one.statements)} statements, not {len(other.statements)}: [{first}], not [{second}]"


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who sends requests; `log` has the statements that the application runs meanwhile."""

    http: httpx.AsyncClient
    log: StatementLog

    async def send(self, request: Request) -> Response:
        before = len(self.log.statements)
        headers: dict[str, Any] = {"Accept-Encoding": "identity", **request.headers}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        response = await self.http.request(
            request.method,
            f"http://test{request.path}",
            params=dict(request.query) or None,
            headers=headers,
            content=request.body,
        )
        return Response(
            request=request,
            status=response.status_code,
            headers=tuple(sorted((name.lower(), value) for name, value in response.headers.multi_items())),
            text=response.text,
            statements=tuple(self.log.statements[before:]),
        )
