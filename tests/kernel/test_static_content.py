"""The document and the assets of its page are compressed once, and tell their version."""

from __future__ import annotations

import gzip

import pytest
from fastapi import APIRouter

from vinc_kernel import Contribution, public, static_content

from .conftest import AppOf, client_of

BUNDLE = "http://test/docs/swagger-ui-bundle.js"


@pytest.mark.parametrize("path", [BUNDLE, "/openapi.json"])
async def test_it_is_compressed_once(app_of: AppOf, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    calls: list[int] = []

    def counted(body: bytes, *, mtime: float) -> bytes:
        calls.append(len(body))
        return gzip.compress(body, mtime=mtime)

    api = client_of(app_of())
    await api.get(path)
    monkeypatch.setattr(static_content.gzip, "compress", counted)
    answers = [await api.get(path) for _ in range(3)]

    assert {one.headers["content-encoding"] for one in answers} == {"gzip"}
    assert calls == []


@pytest.mark.parametrize("path", [BUNDLE, "http://test/docs/swagger-ui.css", "/openapi.json"])
async def test_each_encoding_has_a_tag_that_saves_the_next_transfer(app_of: AppOf, path: str) -> None:
    api = client_of(app_of())
    plain, zipped = [await api.get(path, headers={"Accept-Encoding": coding}) for coding in ("identity", "gzip")]

    assert plain.content == zipped.content
    assert plain.headers["etag"] != zipped.headers["etag"]
    assert ("content-encoding" in plain.headers, zipped.headers["content-encoding"]) == (False, "gzip")
    for answer, coding in ((plain, "identity"), (zipped, "gzip")):
        assert "Accept-Encoding" in answer.headers.get_list("vary", split_commas=True)
        known = {"Accept-Encoding": coding, "If-None-Match": answer.headers["etag"]}
        again = await api.get(path, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]


async def test_content_that_has_changed_has_another_tag(app_of: AppOf) -> None:
    router = APIRouter(prefix="/films", dependencies=[public("a test")])
    router.add_api_route("", lambda: None)
    apps = app_of(), app_of(films=Contribution(routers=[router]))
    tags = {(await client_of(app).get("/openapi.json")).headers["etag"] for app in apps}

    assert len(tags) == 2


@pytest.mark.parametrize(
    ("accepted", "answer"),
    [
        (b"gzip, deflate, br, zstd", True),
        (b"deflate,\tGZIP ; Q=0.001 , br", True),
        (b"br;q=1.0, gzip;q=1", True),
        (b"x-gzip", True),
        (b"gzip;q=0", False),
        (b"br, gzip ; Q=0.000", False),
        (b"gzip;Q=0, br", False),
        (b"notgzip", False),
        (b"gzipped", False),
        (b"br;a=gzip", False),
        (b"identity", False),
        (b"", False),
    ],
)
def test_gzip_is_taken_where_the_header_names_it_with_a_weight(accepted: bytes, answer: bool) -> None:
    assert static_content.accepts_gzip(accepted) is answer
