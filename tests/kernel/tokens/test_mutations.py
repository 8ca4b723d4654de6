"""3,000 tokens with something changed: none is believed, and none is an error of ours."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .issuing import CallerOf, Sso, segment

EXAMPLES = 3_000  # others in each run
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.~+/ \0\xe9"
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("A" * 9000)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=5), scalars, max_size=3)
algorithms = st.sampled_from(["none", "HS256", "RS384", "RS512", "PS256", "ES256", "EdDSA", "A256KW", "dir", ""])
headers = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "b64", "zip", "jwk", "jku", "x5u", "enc", "cty"]),
    values | algorithms,
    min_size=1,
    max_size=3,
)
claims = st.dictionaries(
    st.sampled_from(["iss", "sub", "aud", "azp", "typ", "exp", "nbf", "iat", "role", "realm_access", "x"]),
    values,
    min_size=1,
    max_size=3,
)


def decoded(part: str) -> Any:
    return json.loads(urlsafe_b64decode(part + "=="))


def written(value: Any) -> str:
    return segment(json.dumps(value).encode("utf-8", "surrogatepass"))


@st.composite
def mutated(draw: Any, token: str) -> bytes:
    """The token with its header, its claims, its signature, its encoding or its size changed."""
    header, payload, signature = token.split(".")
    kind = draw(st.sampled_from(["header", "claims", "letter", "cut", "doubled", "swapped", "encoded", "any"]))
    if kind == "header":
        header = written(decoded(header) | draw(headers))
    elif kind == "claims":
        payload = written(decoded(payload) | draw(claims))
    made = f"{header}.{payload}.{signature}"
    if kind == "letter":
        place = draw(st.integers(0, len(token) - 1))
        made = token[:place] + draw(st.sampled_from(LETTERS)) + token[place + 1 :]
    elif kind == "cut":
        made = token[draw(st.integers(0, 5)) : draw(st.integers(1, len(token)))]
    elif kind == "doubled":
        made = draw(st.sampled_from([f"{token}.{token}", f"{token}{token}", f"{token}.{signature}", token * 10]))
    elif kind == "swapped":
        made = ".".join(draw(st.permutations([header, payload, signature])))
    elif kind == "encoded":
        made = draw(st.sampled_from([token.upper(), token + "=", token.replace("-", "+") + "/", token[::-1]]))
    elif kind == "any":
        return draw(st.binary(max_size=200))
    return made.encode("latin-1", "replace")


async def status(app: Any, token: bytes) -> int:
    """What the application itself says, without a client that would look at the header first."""
    found: list[int] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    path = "/api/v1/things/open"
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"test"), (b"authorization", b"Bearer " + token)], "http_version": "1.1",
    }  # fmt: skip
    await app(scope, receive, send)
    return found[0]


def test_no_mutation_is_believed(caller_of: CallerOf) -> None:
    sso = Sso()
    app, token = caller_of(sso.issuer()).app, sso.token(exp=2**40)
    with asyncio.Runner() as runner:
        assert runner.run(status(app, token.encode())) == 200

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(mutated(token))
        def refused(changed: bytes) -> None:
            if changed != token.encode():
                assert runner.run(status(app, changed)) == 401, changed

        refused()
