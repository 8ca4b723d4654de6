"""What a setting may be: the types of addresses, audiences and the like, each with its rule in words.

A rule is told to the operator, and never the value: it may be a secret.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

OUR_RULE = "vinc_rule"  # of an error whose text is ours, and holds nothing of the value
web_origin = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+").fullmatch


def postgres_address(value: SecretStr) -> SecretStr:
    from sqlalchemy.engine import make_url  # 0.2 s, which commands without an address need not wait for
    from sqlalchemy.exc import ArgumentError

    try:
        driver = make_url(value.get_secret_value()).drivername
    except (ArgumentError, ValueError):  # the latter for a port that is no number, with the text of what it found
        driver = ""
    if driver not in {"postgresql", "postgresql+psycopg", "postgres"}:
        raise PydanticCustomError(OUR_RULE, "write it as postgresql+psycopg://user:password@host:5432/name")
    return value


def redis_address(value: SecretStr) -> SecretStr:
    try:
        url = urlsplit(value.get_secret_value())
        known = url.scheme in {"redis", "rediss", "unix"} and (url.port is None or url.port > 0)
    except ValueError:
        known = False
    if not known:
        rule = "write it as redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/socket"
        raise PydanticCustomError(OUR_RULE, rule)
    return value


def path_prefix(value: str) -> str:
    if value and (not value.startswith("/") or value.endswith("/") or "{" in value or "//" in value):
        message = "write it as /api/v1: it begins with a slash and does not end with one"
        raise ValueError(message)
    return value


def issuer_address(value: str) -> str:
    """An `iss`: an address without a query (OpenID Connect Core, 2), to the letter as it stands in tokens."""
    try:
        url = urlsplit(value)
        known = (
            url.scheme in {"http", "https"}
            and bool(url.hostname)
            and not (url.query or url.fragment or "@" in url.netloc)
        )
    except ValueError:
        known = False
    if not known:
        raise PydanticCustomError(OUR_RULE, "write it as https://sso.example/realms/vinc, just as it stands in tokens")
    return value


def audience_of_ours(value: str) -> str:
    if value == "account":
        rule = (
            "account is in every token of a Keycloak, whoever it is meant for: choose a name of your own, like vinc-api"
        )
        raise PydanticCustomError(OUR_RULE, rule)
    return value


def proxy_address(value: str) -> str:
    try:
        is_everybody = ip_network(value).prefixlen == 0
    except ValueError:
        is_everybody = True
    if is_everybody:
        rule = "write each as 10.0.0.7 or 10.0.0.0/24: whoever else may come from there could say any address"
        raise PydanticCustomError(OUR_RULE, rule)
    return value


PostgresUrl = Annotated[SecretStr, AfterValidator(postgres_address)]
RedisUrl = Annotated[SecretStr, AfterValidator(redis_address)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ProxyAddress = Annotated[str, AfterValidator(proxy_address)]
PathPrefix = Annotated[str, AfterValidator(path_prefix)]
# Of JWS (RFC 7518, 3.1; RFC 9864, 2.2), those whose verifier holds no secret.
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"
]  # fmt: skip
Audience = Annotated[str, Field(pattern=r"^[!-~]{1,255}$"), AfterValidator(audience_of_ours)]


class ListedIssuer(BaseModel):
    """One whose access tokens are believed: `issuer` is their `iss`, `clients` narrows their `azp`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: Annotated[str, AfterValidator(issuer_address)]
    audience: Audience | None = None
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] = ["RS256"]
    clients: list[str] = []
    jwks_url: Annotated[str, AfterValidator(issuer_address)] | None = None


def named_issuer(value: Any) -> Any:
    return {"issuer": value} if isinstance(value, str) else value


Issuers = list[Annotated[ListedIssuer, BeforeValidator(named_issuer)]]


def is_tls_or_loopback(address: str) -> bool:
    """Whether nobody can come between: TLS, or this machine."""
    url = urlsplit(address)
    host = url.hostname or ""
    try:
        is_loopback = ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    return url.scheme == "https" or is_loopback
