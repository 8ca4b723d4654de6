"""What one request was answered, and what of that may differ between two requests that must not be told apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from httpx import Response

from .overhear import Overheard

if TYPE_CHECKING:
    from httpx import AsyncClient

OF_ITS_OWN = frozenset({"x-request-id", "date"})  # each answer has others
LONGEST = 200  # characters of an answer that a finding repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request; `about` is what must not be detectable in it, as it is written in it."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    about: tuple[str, ...] = ()

    def holds(self, text: str) -> bool:
        """Whether the caller says this text itself, so that hearing it back tells nothing."""
        said = [self.path, *self.query.values(), *self.headers.values(), (self.body or b"").decode("utf-8", "replace")]
        return any(text in each for each in said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, and the statements that it cost."""

    question: Question
    status: int
    headers: tuple[tuple[str, str], ...]
    text: str
    said: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        return self.status < 400  # noqa: PLR2004  RFC 9110, 15.5

    @property
    def shape(self) -> tuple[int, tuple[tuple[str, str], ...], str]:
        """All that a caller can see of it, less what it asked about and what each answer has of its own."""
        ids = [value for name, value in self.headers if name == "x-request-id"]
        blank = [*self.question.about, *ids]
        headers = tuple((name, without(value, blank)) for name, value in self.headers if name not in OF_ITS_OWN)
        return self.status, headers, without(self.text, blank)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def leaks(self, secrets: Collection[str]) -> list[str]:
        """What of these the caller is told without having said it itself."""
        told = "\n".join([self.text, *(value for _, value in self.headers)])
        return sorted(each for each in secrets if each in told and not self.question.holds(each))

    def __str__(self) -> str:
        return f"{self.status} {self.text[:LONGEST]}".strip()


def without(text: str, parts: Sequence[str]) -> str:
    """The text with each part blanked out, the longest first."""
    for part in sorted(filter(None, parts), key=len, reverse=True):
        text = text.replace(part, "*")
    return text


def unlike(one: Answer, other: Answer) -> Iterator[str]:
    """In what two answers differ, in words: of the first is told before of the second."""
    (status, headers, text), (other_status, other_headers, other_text) = one.shape, other.shape
    if status != other_status:
        yield f"the status is {status}, not {other_status}"
    elif text != other_text:
        yield f"the body is {text[:LONGEST]!r}, not {other_text[:LONGEST]!r}"
    if status == other_status and headers != other_headers:
        yield f"the headers differ: {sorted(set(headers) ^ set(other_headers))}"
    if one.said != other.said:
        mine, others = (" · ".join(" ".join(each.split()) for each in said) for said in (one.said, other.said))
        yield f"it costs {len(one.said)} statements, not {len(other.said)}: [{mine}], not [{others}]"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks, with what is overheard of the database meanwhile."""

    client: AsyncClient
    overheard: Overheard

    async def ask(self, question: Question) -> Answer:
        before = len(self.overheard.said)
        headers: dict[str, Any] = {"Accept-Encoding": "identity", **question.headers}
        if question.body is not None:
            headers["Content-Type"] = "application/json"
        response: Response = await self.client.request(
            question.method,
            f"http://test{question.path}",
            params=dict(question.query) or None,
            headers=headers,
            content=question.body,
        )
        return Answer(
            question=question,
            status=response.status_code,
            headers=tuple(sorted((name.lower(), value) for name, value in response.headers.multi_items())),
            text=response.text,
            said=tuple(self.overheard.said[before:]),
        )
