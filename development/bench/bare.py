"""Bare FastAPI with the routes that are measured; it knows nothing of Vinc."""

import json
import os
from hashlib import sha256
from time import time
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Header, HTTPException
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import BaseModel

from .sso import AUDIENCE, URL


class Health(BaseModel):
    """As the plugin health answers."""

    status: Literal["ok"] = "ok"


class Thing(BaseModel):
    """As a generated plugin answers."""

    name: str
    number: int


def health() -> FastAPI:
    app = FastAPI()

    @app.get("/api/v1/health")
    async def answer() -> Health:
        return Health()

    return app


def thing() -> FastAPI:
    app = FastAPI()

    @app.get("/api/v1/p000/thing")
    async def answer() -> Thing:
        return Thing(name="p000", number=1)

    return app


def claims_rules() -> jwt.JWTClaimsRegistry:
    """What joserfc is told to check of the claims; times it checks by itself."""
    return jwt.JWTClaimsRegistry(
        leeway=30,
        iss={"essential": True, "value": URL},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
        typ={"essential": True, "value": "Bearer"},
    )


def guarded() -> FastAPI:
    """The same route behind the same check as a dependency: joserfc, and a cache of the tokens that it has verified."""
    app = FastAPI()
    keys = KeySet.import_key_set(json.loads(os.environ["BENCH_JWKS"]))
    rules = claims_rules()
    verified: dict[bytes, dict[str, Any]] = {}

    async def member(authorization: Annotated[str, Header()], x_tenant_id: Annotated[str, Header()]) -> dict[str, Any]:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise HTTPException(401)
        digest = sha256(given.encode()).digest()
        claims = verified.get(digest)
        if claims is None or claims["exp"] < time():
            claims = jwt.decode(given, keys, algorithms=["RS256"]).claims
            rules.validate(claims)
            verified[digest] = claims
        if x_tenant_id not in claims["allowed_wholesalers"] or claims["role"] != "viewer":
            raise HTTPException(403)
        return claims

    @app.get("/api/v1/p000/thing", dependencies=[Depends(member)])
    async def answer() -> Thing:
        return Thing(name="p000", number=1)

    return app
