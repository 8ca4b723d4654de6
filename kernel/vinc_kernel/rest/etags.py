"""Strong ETags (RFC 9110, 8.8.3): which version of what, in which tenant."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from sqlalchemy import ColumnElement

from ..conditional import ANY, find_tags, is_tag_list
from ..context import context_of
from ..errors import BadRequest, NotFound, PreconditionRequired
from .pages import path_of

version_in = re.compile(r'"([1-9][0-9]{0,9})-[0-9a-f]{18}"').fullmatch
NO_VERSION = 0


class Versioned(Protocol):
    """What an ETag is made of: a `ResourceModel`, or whatever has the two."""

    @property
    def id(self) -> UUID: ...

    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=Versioned)


def etag(tenant: UUID | None, id: UUID, version: int) -> str:  # noqa: A002  what everybody calls it
    """The ETag of this version of this row in this tenant, quotes included."""
    digest = blake2b(f"{tenant}/{id}/{version}".encode(), digest_size=9).hexdigest()
    return f'"{version}-{digest}"'


@dataclass(frozen=True, slots=True)
class Expected:
    """Which versions a caller has seen: a change goes on only if the stored one is among them."""

    given: frozenset[str]
    tenant: UUID | None

    def within(self, tenant: UUID | None) -> Expected:
        """The same for a resource that belongs to another tenant than the request's."""
        return replace(self, tenant=tenant)

    def versions(self, id: UUID) -> list[int] | None:  # noqa: A002  what everybody calls it
        """The versions of this row that were seen; None where any will do."""
        if ANY in self.given:
            return None
        numbers = (int(found[1]) for tag in self.given if (found := version_in(tag)))
        return sorted(number for number in numbers if etag(self.tenant, id, number) in self.given)

    def version(self, id: UUID) -> int | None:  # noqa: A002  what everybody calls it
        """The newest version of this row that was seen; None where any will do, 0 (which no row has) for none."""
        seen = self.versions(id)
        return None if seen is None else max(seen, default=NO_VERSION)

    def condition(self, model: Any, id: UUID) -> list[ColumnElement[bool]]:  # noqa: A002  what everybody calls it
        """What the statement that changes this row must ask for."""
        seen = self.versions(id)
        return [] if seen is None else [model.version.in_(seen or [NO_VERSION])]


async def if_match(
    request: Request,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="Required: the ETag you have seen, or `*`.")
    ] = None,
) -> Expected:
    """Read If-Match; raises PreconditionRequired (RFC 6585, 3) without one and BadRequest for one that is malformed.

    A weak tag never matches (RFC 9110, 13.1.1).
    """
    if if_match is None:
        message = "Send If-Match with the ETag of what you have seen."
        raise PreconditionRequired(message)
    text = ",".join(request.headers.getlist("if-match"))
    tenant = context_of(request).tenant_id
    if text.strip() == ANY:
        return Expected(frozenset({ANY}), tenant)
    if not is_tag_list(text):
        message = "If-Match must be * or ETags in double quotes."
        raise BadRequest(message)
    return Expected(frozenset(tag for tag in find_tags(text) if not tag.startswith("W/")), tenant)


IfMatch = Annotated[Expected, Depends(if_match)]


@dataclass(frozen=True, slots=True)
class ETagWriter:
    """Puts the ETag of one resource into the answer."""

    request: Request
    response: Response
    tenant: UUID | None

    def within(self, tenant: UUID | None) -> ETagWriter:
        """The same for a resource that belongs to another tenant than the request's."""
        return replace(self, tenant=tenant)

    def __call__(self, found: V | None) -> V:
        """What was found, with its ETag; raises NotFound where there is nothing."""
        if found is None:
            raise NotFound
        self.response.headers["ETag"] = etag(self.tenant, found.id, found.version)
        return found

    def created(self, made: V) -> V:
        """What was made, with its ETag and its address: the one that was asked, and the id."""
        self.response.headers["Location"] = f"{path_of(self.request)}/{made.id}"
        return self(made)


async def etag_writer(request: Request, response: Response) -> ETagWriter:
    return ETagWriter(request, response, context_of(request).tenant_id)


WithETag = Annotated[ETagWriter, Depends(etag_writer)]
