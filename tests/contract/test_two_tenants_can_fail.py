"""The walk with two tenants finds what leaks: a plugin that does, route by route, and what is said of each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import replace

import pytest

from vinc_kernel.app import Application, create_app
from vinc_kernel.plugins.arrange import arrange
from vinc_kernel.settings import Sources, read_settings
from vinc_testing import Database, Servers
from vinc_testing.running import plugin_of, pointing_at
from vinc_testing.walk import NotDescribed, NotExercised, SharedHarness, TwoTenants, route_names

from . import leaky, notes

TABLES = [("notes_note", "tenant_id, name"), ("notes_code", "name")]
AT = "/api/v1/notes"
Walked = Callable[[str], TwoTenants]


@pytest.fixture(scope="module")
def walked(vinc_servers: Servers, vinc_worker_database: Database, vinc_worker: str) -> Generator[Walked]:
    """Walk a route of the leaky plugin, beside the plugins that are installed."""
    environ = pointing_at(vinc_servers, vinc_worker_database.name, vinc_worker)
    cleared = replace(vinc_worker_database, tables=[*vinc_worker_database.tables, *(name for name, _ in TABLES)])

    def create(urls: Mapping[str, str]) -> Application:
        sources = Sources({**environ, **urls, "VINC_LOG_LEVEL": "error"})
        settings, _ = read_settings(sources)
        return create_app(settings, sources, plugins=[*arrange(settings), plugin_of("notes", leaky)])

    with notes.tables(vinc_worker_database, vinc_servers.prefix, TABLES), SharedHarness() as shared:
        harness = shared.start(create, cleared, environ)
        yield lambda route: TwoTenants(harness=harness, route=route)


@pytest.mark.parametrize(
    "route",
    [
        f"GET {AT}",
        f"POST {AT}",
        f"GET {AT}/{{id}}",
        f"PATCH {AT}/{{id}}",
        f"DELETE {AT}/{{id}}",
        f"GET {AT}/by-name/{{name}}",
        f"POST {AT}/{{id}}/bill/pay",
        f"POST {AT}/{{id}}/bill/payments",
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
        (f"POST {AT}/codes", "what one tenant could create, the next cannot .*201, then 409"),
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
            "nothing of /api/v1/notes/of could be created or listed; name where .* 'x-vinc-source'",
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


@pytest.mark.parametrize("route", [f"POST {AT}/{{id}}/seal", f"POST {AT}/{{id}}/seals"])
async def test_a_route_that_needs_an_etag_that_no_other_answers_says_so(walked: Walked, route: str) -> None:
    with pytest.raises(NotExercised, match=r" 428 .*; no GET at its path, or at one above it, answers an ETag"):
        await walked(route).assert_isolated()


async def test_a_route_that_is_not_there_is_an_error(walked: Walked) -> None:
    with pytest.raises(LookupError, match="the application has no route 'GET /nowhere'; it has DELETE /api/v1/notes"):
        await walked("GET /nowhere").assert_isolated()


async def test_every_route_of_a_plugin_is_walked(walked: Walked) -> None:
    routes = route_names(walked("").harness.app)

    assert {route.partition(" ")[0] for route in routes} == {
        "GET", "POST", "PATCH", "DELETE", "PUT", "WEBSOCKET", "MOUNT"
    }  # fmt: skip


async def test_rows_are_seeded_anew_after_a_walk_that_has_changed_some_and_only_then(walked: Walked) -> None:
    reads, deletes = walked(f"GET {AT}"), walked(f"DELETE {AT}/{{id}}")
    seedings = []
    for one in (reads, reads, deletes, reads):
        await one.assert_isolated()
        seedings.append(one.harness.seedings)
    first = seedings[0]

    assert seedings == [first, first, first, first + 1]
