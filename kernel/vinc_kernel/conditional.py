"""Conditional requests (RFC 9110, 13): entity tags in headers, and 304 for a version that the caller has."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from .context import context_of

ANY = "*"
TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
is_tag_list = re.compile(
    rf"[ \t,]*{TAG}(?:[ \t]*,[ \t,]*{TAG})*[ \t,]*"
).fullmatch  # RFC 9110, 5.6.1.2: a list may have empty elements
find_tags = re.compile(TAG).findall
SAFE = ("GET", "HEAD")
KEPT = ("cache-control", "content-location", "etag", "expires", "vary")  # RFC 9110, 15.4.5: the headers of a 304


def apply_if_none_match(request: Request, response: Response) -> Response:
    """Return the response, or 304 when If-None-Match names its ETag (RFC 9110, 13.1.2)."""
    context = context_of(request)
    if context.header(b"if-none-match") is None or context.method not in SAFE or response.status_code != 200:  # noqa: PLR2004  RFC 9110, 15.3.1
        return response
    tag = response.headers.get("etag")
    text = ",".join(request.headers.getlist("if-none-match"))
    if tag is None or not (text.strip() == ANY or tag in {one.removeprefix("W/") for one in find_tags(text)}):
        return response
    kept = {name: value for name in KEPT if (value := response.headers.get(name)) is not None}
    return Response(status_code=304, headers=kept, background=response.background)
