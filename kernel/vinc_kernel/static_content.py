"""Content that does not change: compressed once, and sent with an entity tag."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from .conditional import apply_if_none_match
from .context import context_of

takes_gzip = re.compile(
    rb"(?:^|,)[ \t]*(?:x-)?gzip[ \t]*(?:;[ \t]*q=(?:0\.0{0,2}[1-9]\d{0,2}|1(?:\.0{0,3})?)[ \t]*)?(?:,|$)", re.IGNORECASE
).search


@dataclass(frozen=True)
class StaticContent:
    """One representation, and its compressed one, each with an entity tag of its own (RFC 9110, 8.8.3.3)."""

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def tag(self) -> str:
        return sha256(self.body).hexdigest()[:32]

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.body, mtime=0)

    def respond(self, request: Request) -> Response:
        """Return the response, compressed where the caller takes that, or 304."""
        headers = {**self.headers, "ETag": f'"{self.tag}"', "Vary": "Accept-Encoding"}
        body = self.body
        if accepts_gzip(context_of(request).request_headers.get(b"accept-encoding", b"")):
            body = self.compressed
            headers |= {"ETag": f'"{self.tag}-gzip"', "Content-Encoding": "gzip"}
        return apply_if_none_match(request, Response(body, headers=headers, media_type=self.media_type))


def accepts_gzip(accepted: bytes) -> bool:
    """Return whether an Accept-Encoding has gzip with a weight above 0 (RFC 9110, 12.5.3)."""
    return takes_gzip(accepted) is not None
