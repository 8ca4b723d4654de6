"""Keys come over HTTP from where the settings say, or the issuer's own discovery document, and from nowhere else."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ..conftest import client_of
from .issuing import AUDIENCE, CallerOf, Sso, published

DISCOVERY, KEYS = "/.well-known/openid-configuration", "/keys"
Answer = tuple[int, dict[str, str], bytes]


class Web:
    """A web server on loopback: what it says at each path, and which paths were asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.headers: list[set[str]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                web.headers.append({name.lower() for name in self.headers})
                status, headers, content = web.answers.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def says(self, path: str, value: Any, status: int = 200, **headers: str) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.answers[path] = (status, {name.replace("_", "-"): text for name, text in headers.items()}, content)


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def here(web: Web) -> Sso:
    """An issuer whose address is that server."""
    return Sso(url=web.url)


def listed_at_certs(web: Web, sso: Sso, **more: Any) -> str:
    """The setting of an issuer whose keys lie at /certs of that server."""
    web.says("/certs", {"keys": [published(sso.keys[0])]})
    return json.dumps([{"issuer": sso.url, "jwks_url": f"{web.url}/certs", **more}])


async def test_the_keys_are_where_the_discovery_document_says(caller_of: CallerOf, web: Web, here: Sso) -> None:
    web.says(DISCOVERY, {"issuer": here.url, "jwks_uri": f"{here.url}/keys"})
    web.says("/keys", {"keys": [published(here.keys[0])]})
    caller = caller_of(VINC_JWT_ISSUERS=here.url)

    assert await caller.statuses([here.token(), here.token(sub="another")]) == [200, 200]
    assert web.asked == [DISCOVERY, "/keys"]


async def test_or_where_the_settings_say(caller_of: CallerOf, web: Web) -> None:
    sso = Sso(url="https://sso.example/realms/vinc")
    caller = caller_of(VINC_JWT_ISSUERS=listed_at_certs(web, sso, audience="ours", clients=["vinc-web"]))
    tokens = [sso.token(aud="ours"), sso.token(), sso.token(aud="ours", azp="x")]

    assert await caller.statuses(tokens) == [200, 401, 401]
    assert web.asked == ["/certs"]


async def test_nothing_of_the_request_is_passed_on_to_the_issuer(caller_of: CallerOf, web: Web, here: Sso) -> None:
    listed = listed_at_certs(web, here)
    caller = caller_of(VINC_JWT_ISSUERS=listed)
    sent = {"baggage": "tenant.id=acme", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "X-Request-ID": "r1"}
    answer = await client_of(caller.app).get("/things/who", headers=sent | {"Authorization": f"Bearer {here.token()}"})

    assert answer.status_code == 200
    assert web.headers == [{"host", "accept", "accept-encoding", "connection", "user-agent"}]


@pytest.mark.parametrize(
    ("path", "value", "more"),
    [
        (DISCOVERY, {"issuer": "http://evil.example", "jwks_uri": "{url}/keys"}, {}),
        (DISCOVERY, {"issuer": "{url}/", "jwks_uri": "{url}/keys"}, {}),
        (DISCOVERY, {"issuer": "{url}"}, {}),
        # 127.1 is this machine's address as well, to whoever connects, but not by its letters.
        (DISCOVERY, {"issuer": "{url}", "jwks_uri": "http://127.1:{port}/keys"}, {}),
        (DISCOVERY, [], {}),
        (DISCOVERY, b'{"issuer": "x", "issuer": "{url}", "jwks_uri": "{url}/keys"}', {}),
        (KEYS, b"a" * 300_000, {}),
        (KEYS, b"{", {}),
        (KEYS, b"[]", {}),
        (KEYS, b"", {"status": 302, "Location": "/moved"}),
        (KEYS, b"", {"status": 500}),
        (KEYS, gzip.compress(b'{"keys": []}', mtime=0), {"Content_Encoding": "gzip"}),
    ],
)
async def test_another_document_is_no_document(
    caller_of: CallerOf, web: Web, here: Sso, path: str, value: Any, more: dict[str, Any]
) -> None:
    keys = {"keys": [published(here.keys[0])]}
    web.says(DISCOVERY, {"issuer": here.url, "jwks_uri": f"{here.url}/keys"})
    web.says(KEYS, keys)
    web.says("/moved", keys)
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    url = web.url.encode()
    web.says(path, content.replace(b"{url}", url).replace(b"{port}", url.rpartition(b":")[2]), **more)
    caller = caller_of(VINC_JWT_ISSUERS=here.url)

    assert (await caller.ask(here.token())).status_code == 503
    assert "/moved" not in web.asked


async def test_the_audience_of_the_settings_is_for_all_without_one(caller_of: CallerOf, web: Web, here: Sso) -> None:
    listed = listed_at_certs(web, here)
    caller = caller_of(VINC_JWT_ISSUERS=listed, VINC_JWT_AUDIENCE="elsewhere")

    assert await caller.statuses([here.token(aud=AUDIENCE), here.token(aud="elsewhere")]) == [401, 200]
