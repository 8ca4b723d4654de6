"""Fetch an issuer's keys over HTTP: from its `jwks_url`, or else by OpenID Connect Discovery 1.0, 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..setting_types import is_tls_or_loopback
from ..strict_json import parse_json
from .issuer import Issuer

if TYPE_CHECKING:
    from httpx import AsyncClient

LARGEST = 256 * 1024  # bytes of a document
WELL_KNOWN = "/.well-known/openid-configuration"


class FetchFailed(Exception):
    """The document is missing, or malformed."""


class Fetcher:
    """One HTTP client for all issuers, made when it is first needed: its import takes 0.1 s."""

    def __init__(self) -> None:
        self.client: AsyncClient | None = None

    async def keys(self, issuer: Issuer) -> Mapping[str, Any]:
        """Return the issuer's JWK set; raises FetchFailed, or an error of httpx."""
        return await self.document(issuer.jwks_url or await self.discovered(issuer))

    async def discovered(self, issuer: Issuer) -> str:
        document = await self.document(issuer.url.rstrip("/") + WELL_KNOWN)
        address = document.get("jwks_uri")
        if document.get("issuer") != issuer.url or not isinstance(address, str):
            raise FetchFailed("the discovery document is another issuer's, or names no keys")
        if is_tls_or_loopback(issuer.url) and not is_tls_or_loopback(address):
            raise FetchFailed("the keys are to be fetched without TLS")
        return address

    async def document(self, address: str) -> Mapping[str, Any]:
        if self.client is None:
            from httpx import AsyncClient

            self.client = AsyncClient(headers={"Accept": "application/json", "Accept-Encoding": "identity"})
        content = b""
        async with self.client.stream("GET", address) as response:
            if response.status_code != 200:  # noqa: PLR2004  RFC 9110, 15.3.1; a redirect is not followed
                raise FetchFailed("the response is not 200")
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > LARGEST:
                    raise FetchFailed("the document is too large")
        document = parse_json(content)
        if not isinstance(document, dict):
            raise FetchFailed("the document is no object")
        return document

    async def close(self) -> None:
        if self.client is not None:
            await self.client.aclose()
            self.client = None
