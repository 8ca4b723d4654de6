"""An issuer of the tests' own, whose every part can be wrong."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from httpx import Response
from joserfc import jws
from joserfc.jwk import RSAKey

from vinc_kernel import Issuer, Principal, current_principal, public, signed_in
from vinc_kernel.app import Application
from vinc_kernel.tokens.keys import Keys

from ..conftest import client_of

URL, AUDIENCE = "https://sso.example/realms/vinc", "vinc-api"
Json = dict[str, Any]


def rsa(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"kid": kid})


FIRST = rsa("a")  # making one takes a tenth of a second


def published(key: RSAKey, **more: Any) -> Json:
    """A key as a JWK set has it."""
    return {**key.as_dict(private=False), "use": "sig", "alg": "RS256", **more}


def segment(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass
class Sso:
    """It signs with the first of its keys; `fetched` counts how often its keys were asked for.

    `answer` comes in the place of its keys; an exception is raised.
    """

    keys: list[RSAKey] = field(default_factory=lambda: [FIRST])
    url: str = URL
    fetched: int = 0
    more: list[Json] = field(default_factory=list)
    answer: Any = ...  # what it says instead of its keys, or raises

    async def jwks(self) -> Any:
        self.fetched += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        if self.answer is not ...:
            return self.answer
        return {"keys": [*(published(key) for key in self.keys), *self.more]}

    def issuer(self, **more: Any) -> Issuer:
        return replace(Issuer(url=self.url, audience=AUDIENCE, keys=self.jwks), **more)

    def claims(self, **more: Any) -> Json:
        """What a token of a real Keycloak says, less what nobody reads; None leaves a claim out."""
        now = int(time())
        usual = {
            "iss": self.url,
            "sub": "b7f7c7e2-8b43-4d4e-9c1f-9be0c3f3b1aa",
            "aud": [AUDIENCE, "another"],
            "azp": "vinc-web",
            "typ": "Bearer",
            "iat": now,
            "exp": now + 300,
            "email": "alice@acme.example",
            "realm_access": {"roles": ["default-roles-vinc", "offline_access", "uma_authorization"]},
        }
        return {name: value for name, value in (usual | more).items() if value is not None}

    def token(self, *, key: RSAKey | None = None, header: Mapping[str, Any] = {}, **claims: Any) -> str:
        return self.signed(json.dumps(self.claims(**claims)).encode(), key=key, header=header)

    def signed(self, payload: bytes, *, key: RSAKey | None = None, header: Mapping[str, Any] = {}) -> str:
        """A token with this payload, to the byte."""
        key = key or self.keys[0]
        said = {"alg": "RS256", "typ": "JWT", "kid": key.kid, **header}
        given = segment(json.dumps({name: value for name, value in said.items() if value is not None}).encode())
        text = f"{given}.{segment(payload)}"
        signature = jws.JWSRegistry.algorithms["RS256"].sign(text.encode(), key)
        return f"{text}.{segment(signature)}"


OTHERS = ("role", "allowed_customers", "allowed_addresses", "vinc_generation")


def routes() -> APIRouter:
    router = APIRouter(prefix="/things")

    @router.get("/who", dependencies=[signed_in])
    async def who(principal: Annotated[Principal, Depends(current_principal)]) -> dict[str, Any]:
        return {
            "subject": principal.subject,
            "issuer": principal.issuer,
            "role": principal.role,
            "kind": principal.kind,
            "email": principal.email,
            "tenants": sorted(principal.tenants),
            "claims": {name: principal.claims[name] for name in OTHERS if name in principal.claims},
            "expires": principal.expires,
        }

    @router.get("/open", dependencies=[public("a test")])
    async def is_open() -> str:
        return "open"

    return router


@dataclass(frozen=True)
class Caller:
    """Whoever calls an application with a token."""

    app: Application

    @property
    def keys(self) -> Keys:
        return self.app.runtime.trusted.keys[URL]

    async def ask(self, token: str | bytes, path: str = "/things/who") -> Response:
        said = token.encode() if isinstance(token, str) else token
        return await client_of(self.app).get(path, headers=[(b"Authorization", b"Bearer " + said)])

    async def statuses(self, tokens: Sequence[str]) -> list[int]:
        return [(await self.ask(token)).status_code for token in tokens]


CallerOf = Callable[..., Caller]
