"""The walk with two tenants finds what leaks: a plugin that does, route by route, and what is said of each."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from vinc_kernel.app import create_app
from vinc_kernel.plugins.arrange import arrange
from vinc_kernel.settings import Sources, read_settings
from vinc_testing import Database, Servers, TwoTenants
from vinc_testing.running import pointing_at, started
from vinc_testing.walk import NotDescribed, NotExercised, overhear, routes_of

from . import leaky, notes

TABLES = [("notes_note", "tenant_id, name"), ("notes_code", "name")]
AT = "/api/v1/notes"
DESCRIPTIONS = pytest.StashKey[dict[str, Any]]()
Walked = Callable[[str], TwoTenants]


@pytest.fixture
async def walked(
    request: pytest.FixtureRequest, vinc_servers: Servers, vinc_database: Database, vinc_worker: str
) -> AsyncGenerator[Walked]:
    """Walk a route of the leaky plugin, beside the plugins that are installed."""
    environ = pointing_at(vinc_servers, vinc_database.name, vinc_worker)
    with notes.tables(vinc_database, vinc_servers.prefix, TABLES):
        async with overhear(environ["VINC_DATABASE_URL"]) as overheard:
            lines = {"VINC_DATABASE_URL": overheard.address, "VINC_DATABASE_DIRECT_URL": environ["VINC_DATABASE_URL"]}
            sources = Sources({**environ, **lines, "VINC_LOG_LEVEL": "error"})
            settings, _ = read_settings(sources)
            app = create_app(settings, sources, plugins=[*arrange(settings), notes.plugin(leaky.__name__)])
            async with started(app):
                known: dict[str, Any] = request.config.stash.setdefault(DESCRIPTIONS, {})
                yield lambda route: TwoTenants(
                    app=app, database=vinc_database, overheard=overheard, route=route, descriptions=known
                )


@pytest.mark.parametrize(
    "route",
    [
        f"GET {AT}",
        f"POST {AT}",
        f"GET {AT}/{{id}}",
        f"PATCH {AT}/{{id}}",
        f"DELETE {AT}/{{id}}",
        f"GET {AT}/by-name/{{name}}",
    ],
)
async def test_what_is_as_it_should_be_passes(walked: Walked, route: str) -> None:
    await walked(route).assert_isolated()


@pytest.mark.parametrize(
    ("route", "finding"),
    [
        (f"GET {AT}/{{id}}/platform", "it tells a tenant what is another's: .*theirmark7c1e"),
        (f"GET {AT}/{{id}}/platform", "by HEAD.*the status is 200, not 404"),
        (f"GET {AT}/{{id}}/conflict", "can be told from what is not there.*the status is 409, not 404"),
        (f"GET {AT}/{{id}}/query", "it costs [0-9]+ statements, not [0-9]+: .*select notes_note.*"),
        (f"GET {AT}/{{id}}/header", "the headers differ: .*x-was"),
        (f"PATCH {AT}/{{id}}/condition", "with If-Match: .*the status is 409, not 404"),
        (f"DELETE {AT}/{{id}}/everybody", "changes rows of another tenant: notes_note: 2 rows before, 0 after"),
        (f"GET {AT}/remembered", "it tells a tenant what is another's: .*mark7c1e"),
        (f"GET {AT}/etag", "another tenant's ETag .* is answered 304"),
        (f"GET {AT}/shared", "its Cache-Control is not 'private, no-cache'"),
        (f"GET {AT}/shared", "its Vary lacks authorization, x-tenant-id"),
        (f"GET {AT}/{{id}}/broken", "answers 500"),
        (f"POST {AT}/codes", "what one tenant could make, the next cannot .*201, then 409"),
        (f"GET {AT}/search", "name=theirmark7c1e in the query.*the body is '1', not '0'"),
        (f"GET {AT}/pages", "cursor=after-.* in the query.*the status is 200, not 400"),
        (f"GET {AT}/everybodys", "it tells a tenant what is another's: .*theirmark7c1e"),
        (f"WEBSOCKET {AT}/{{id}}/line", "websocket.accept.*, not .*websocket.close"),
        (f"MOUNT {AT}/mounted/{{path:path}}", "the status is 403, not 404"),
    ],
)
async def test_a_leak_is_found(walked: Walked, route: str, finding: str) -> None:
    with pytest.raises(AssertionError, match=f"(?im)^{route.split(maxsplit=1)[0]} .*{finding}"):
        await walked(route).assert_isolated()


@pytest.mark.parametrize(
    ("route", "cure"),
    [
        (f"POST {AT}/undescribed", "there is no example of /name; give its model an example"),
        (
            f"GET {AT}/of/{{whose}}",
            "nothing of /api/v1/notes/of could be made or listed; name where .* 'x-vinc-source'",
        ),
    ],
)
async def test_a_route_that_does_not_say_how_to_ask_it_fails_with_the_cure(
    walked: Walked, route: str, cure: str
) -> None:
    with pytest.raises((NotDescribed, NotExercised), match=cure):
        await walked(route).assert_isolated()


async def test_a_route_that_refuses_its_own_example_fails(walked: Walked) -> None:
    with pytest.raises(NotExercised, match=r"it answers 422 .*; correct the example of its body"):
        await walked(f"POST {AT}/refused").assert_isolated()


async def test_a_route_that_is_not_there_is_an_error(walked: Walked) -> None:
    with pytest.raises(LookupError, match="the application has no route 'GET /nowhere'; it has DELETE /api/v1/notes"):
        await walked("GET /nowhere").assert_isolated()


async def test_every_route_of_a_plugin_is_walked(walked: Walked) -> None:
    routes = routes_of(walked("").app)

    assert {route.partition(" ")[0] for route in routes} == {
        "GET", "POST", "PATCH", "DELETE", "PUT", "WEBSOCKET", "MOUNT"
    }  # fmt: skip
