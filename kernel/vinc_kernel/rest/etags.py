"""Strong ETags (RFC 9110, 8.8.3) of the version of a resource in a tenant."""

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
MOST_TAGS = 100


class Versioned(Protocol):
    """What an ETag is made of: a `ResourceModel`, or another class with both."""

    @property
    def id(self) -> UUID: ...

    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=Versioned)


def etag(tenant: UUID | None, id: UUID, version: int) -> str:  # noqa: A002  what everybody calls it
    """Return the ETag of this version of this row in this tenant, with quotes."""
    digest = blake2b(f"{tenant}/{id}/{version}".encode(), digest_size=9).hexdigest()
    return f'"{version}-{digest}"'


@dataclass(frozen=True, slots=True)
class Expected:
    """The ETags of If-Match: a change requires the stored version to be among them."""

    tags: frozenset[str]
    tenant: UUID | None

    def within(self, tenant: UUID | None) -> Expected:
        """Return the same for a resource of another tenant."""
        return replace(self, tenant=tenant)

    def condition(self, model: Any, id: UUID) -> list[ColumnElement[bool]]:  # noqa: A002  what everybody calls it
        """Return the conditions for the statement that changes this row."""
        if ANY in self.tags:
            return []
        numbers = (int(found[1]) for tag in self.tags if (found := version_in(tag)))
        seen = sorted(number for number in numbers if etag(self.tenant, id, number) in self.tags)
        return [model.version.in_(seen or [NO_VERSION])]


async def if_match(
    request: Request,
    if_match: Annotated[str | None, Header(alias="If-Match", description="The ETag you have seen, or `*`.")] = None,
) -> Expected:
    """Read If-Match; raises PreconditionRequired (RFC 6585, 3) without one and BadRequest for one that is malformed.

    A weak tag counts as the strong one: ours names a version, whatever a proxy that compresses (nginx) makes of it.
    """
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag of what you have seen.")
    text = ",".join(request.headers.getlist("if-match"))
    tenant = context_of(request).tenant_id
    if text.strip() == ANY:
        return Expected(frozenset({ANY}), tenant)
    if not is_tag_list(text):
        raise BadRequest("If-Match must be * or ETags in double quotes.")
    tags = find_tags(text)
    if len(tags) > MOST_TAGS:
        raise BadRequest(f"If-Match may have {MOST_TAGS} ETags at most.")
    return Expected(frozenset(tag.removeprefix("W/") for tag in tags), tenant)


IfMatch = Annotated[Expected, Depends(if_match)]


@dataclass(frozen=True, slots=True)
class ETagWriter:
    """Sets the ETag of one resource in the response."""

    request: Request
    response: Response
    tenant: UUID | None

    def within(self, tenant: UUID | None) -> ETagWriter:
        """Return the same for a resource of another tenant."""
        return replace(self, tenant=tenant)

    def __call__(self, resource: V | None) -> V:
        """Set its ETag and return it; raises NotFound for None."""
        if resource is None:
            raise NotFound
        self.response.headers["ETag"] = etag(self.tenant, resource.id, resource.version)
        return resource

    def created(self, resource: V) -> V:
        """Set its ETag and its Location, the request's path and the id, and return it."""
        self.response.headers["Location"] = f"{path_of(self.request)}/{resource.id}"
        return self(resource)


async def etag_writer(request: Request, response: Response) -> ETagWriter:
    return ETagWriter(request, response, context_of(request).tenant_id)


WithETag = Annotated[ETagWriter, Depends(etag_writer)]
