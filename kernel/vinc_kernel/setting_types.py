"""The types of settings: addresses, audiences and the like, each with its rule in words.

An error repeats the rule and never the value: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal, LiteralString
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

web_origin = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^/?#@\s]+").fullmatch


def rule(is_valid: Callable[[str], object], text: LiteralString) -> AfterValidator:
    """Refuse, with this text alone, a value for which `is_valid` is false or raises ValueError."""

    def validate(value: Any) -> Any:
        try:
            valid = is_valid(value.get_secret_value() if isinstance(value, SecretStr) else value)
        except ValueError:
            valid = False
        if not valid:
            raise PydanticCustomError("vinc_rule", text)
        return value

    return AfterValidator(validate)


def is_postgres(value: str) -> bool:
    from sqlalchemy.engine import make_url  # 0.2 s, which commands without an address need not wait for
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(value).drivername in {"postgresql", "postgresql+psycopg", "postgres"}
    except ArgumentError:
        return False


def is_redis(value: str) -> bool:
    url = urlsplit(value)
    return url.scheme in {"redis", "rediss", "unix"} and (url.port is None or url.port > 0)


def is_path_prefix(value: str) -> bool:
    return not value or (value.startswith("/") and not value.endswith("/") and "{" not in value and "//" not in value)


def is_issuer(value: str) -> bool:
    """Whether it can be an `iss`: an address without a query (OpenID Connect Core, 2)."""
    url = urlsplit(value)
    has_more = url.query or url.fragment or "@" in url.netloc
    return url.scheme in {"http", "https"} and bool(url.hostname) and not has_more


PostgresUrl = Annotated[SecretStr, rule(is_postgres, "write it as postgresql+psycopg://user:password@host:5432/name")]
RedisUrl = Annotated[
    SecretStr, rule(is_redis, "write it as redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/socket")
]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ProxyAddress = Annotated[
    str,
    rule(
        lambda value: ip_network(value).prefixlen > 0,
        "write each as 10.0.0.7 or 10.0.0.0/24: whoever else may come from there could say any address",
    ),
]
PathPrefix = Annotated[
    str, rule(is_path_prefix, "write it as /api/v1: it begins with a slash and does not end with one")
]
# An Origin is scheme, host and port, and nothing else (RFC 6454, 6.2).
WebOrigin = Annotated[
    str, rule(web_origin, "write each as https://app.example, with its port if it has one, and without a path")
]
IssuerUrl = Annotated[str, rule(is_issuer, "write it as https://sso.example/realms/vinc, just as it stands in tokens")]
# Of JWS (RFC 7518, 3.1; RFC 9864, 2.2), those whose verifier holds no secret.
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"
]  # fmt: skip
Audience = Annotated[
    str,
    Field(pattern=r"^[!-~]{1,255}$"),
    rule(
        lambda value: value != "account",
        "account is in every token of a Keycloak, whoever it is meant for: choose a name of your own, like vinc-api",
    ),
]


class ListedIssuer(BaseModel):
    """An issuer whose access tokens are accepted: `issuer` is their `iss`, `clients` narrows their `azp`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: IssuerUrl
    audience: Audience | None = None
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] = ["RS256"]
    clients: list[str] = []
    jwks_url: IssuerUrl | None = None


Issuers = list[
    Annotated[ListedIssuer, BeforeValidator(lambda value: {"issuer": value} if isinstance(value, str) else value)]
]


def is_tls_or_loopback(address: str) -> bool:
    """Return whether nobody can come between: TLS, or this machine."""
    url = urlsplit(address)
    host = url.hostname or ""
    try:
        is_loopback = ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost"
    return url.scheme == "https" or is_loopback
