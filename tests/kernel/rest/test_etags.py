"""ETags and preconditions: of one version of one row in one tenant, and decided by the statement that changes it."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient, Response

from vinc_kernel.rest.etags import etag

from .conftest import Shop

ROW = UUID("01900000-0000-7000-8000-000000000001")
MISSING = UUID("01900000-0000-7000-8000-000000000002")
BODIES: dict[str, Any] = {"PATCH": {"name": "new"}, "PUT": {"name": "new"}, "DELETE": None}
SAFE = ["GET", "HEAD"]


async def send(client: AsyncClient, method: str, *if_match: str, row: Any = ROW, body: Any = None) -> Response:
    """A change of one row, with these lines of If-Match."""
    content = body if body is not None else BODIES[method]
    headers = [("If-Match", line) for line in if_match]
    return await client.request(method, f"/shelf/{row}", json=content, headers=headers)


def told(answer: Response) -> tuple[Any, ...]:
    """All of an answer but what is another one in each request."""
    body = {name: value for name, value in answer.json().items() if name not in {"request_id", "instance"}}
    headers = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "content-length"}}
    return answer.status_code, body, headers, len(answer.content) - len(answer.json()["instance"])


def kind(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def stored(shop: Shop, row: UUID = ROW) -> list[Any]:
    query = "select name, qty, version from shelf_item where id = %s order by tenant_id"
    return shop.database.admin.execute(query, [row]).fetchall()


async def test_what_answers_with_one_item_has_its_etag_and_a_new_one_its_address(
    shop: Shop, client: AsyncClient
) -> None:
    made = await client.post("/shelf", json={"name": "a"})
    address = made.headers["location"].removeprefix("/api/v1")
    tags = [made.headers["etag"]]
    for method in ("GET", "HEAD"):
        answer = await client.request(method, address)
        assert (answer.status_code, answer.headers["etag"]) == (200, tags[-1])
    for method in ("PATCH", "PUT"):
        answer = await client.request(method, address, json={"name": method}, headers={"If-Match": tags[-1]})
        tags.append(answer.headers["etag"])
        again = await client.get(address)
        assert again.headers["etag"] == tags[-1]
        assert not {"location"} & {*answer.headers, *again.headers}
    listed = await client.get("/shelf")

    id_, tenant = UUID(made.json()["id"]), shop.id("acme")
    assert (made.status_code, address) == (201, f"/shelf/{id_}")
    assert tags == [etag(tenant, id_, version) for version in (1, 2, 3)]
    assert "version" not in made.json()
    assert not {"location", "etag"} & set(listed.headers)


SEEN = ["{tag}", "W/{tag}", ' "x" , {tag}', '"x",W/{tag},"y"', "{tag}, {tag}", "*", " * ", "\t{tag}\t", '"",{tag}']
SEEN_IN_TWO_LINES = ['"x"\n{tag}', '{tag}\n"x"']
NOT_SEEN = ['"x"', "{bare}", "W/{bare}", '"{bare}x"', '"x{bare}"', "", '""', "W/", '"*"', "**", "{older}", "W/{older}"]
THEIRS = ["{theirs}", "W/{theirs}", '"x", {theirs}']  # of another tenant, for a row of the same id and version


@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize(
    ("given", "status"),
    [*((one, 304) for one in SEEN + SEEN_IN_TWO_LINES), *((one, 200) for one in NOT_SEEN + THEIRS)],
    ids=str,
)
async def test_if_none_match_is_304_for_just_this_version_of_this_tenants_row(
    shop: Shop, client: AsyncClient, method: str, given: str, status: int
) -> None:
    for tenant in ("acme", "other"):
        shop.put({"id": ROW, "version": 2}, tenant=tenant)
    tag, older = (etag(shop.id("acme"), ROW, version) for version in (2, 1))
    tags = given.format(tag=tag, bare=tag.strip('"'), older=older, theirs=etag(shop.id("other"), ROW, 2))
    headers = [("If-None-Match", line) for line in tags.split("\n")]
    answer = await client.request(method, f"/shelf/{ROW}", headers=headers)

    assert answer.status_code == status
    assert answer.headers["etag"] == tag
    assert bool(answer.content) is (status == 200 and method == "GET")


async def test_a_304_says_again_what_a_cache_must_know_and_nothing_of_a_body(shop: Shop, client: AsyncClient) -> None:
    shop.put({"id": ROW})
    full = await client.get(f"/shelf/{ROW}")
    short = await client.get(f"/shelf/{ROW}", headers={"If-None-Match": full.headers["etag"]})

    kept = ["cache-control", "etag", "vary"]
    assert (short.status_code, short.content) == (304, b"")
    assert [short.headers[name] for name in kept] == [full.headers[name] for name in kept]
    assert {"content-type", "content-length"} & set(short.headers) == set()
    assert short.headers["vary"] == "Authorization, X-Tenant-ID"


async def test_if_none_match_counts_only_where_there_is_an_etag_to_compare(shop: Shop, client: AsyncClient) -> None:
    shop.put({"id": ROW})
    any_tag = {"If-None-Match": "*"}
    answers = [
        await client.get("/shelf", headers=any_tag),
        await client.get(f"/shelf/{MISSING}", headers=any_tag),
        await client.patch(f"/shelf/{ROW}", json={"qty": 1}, headers={"If-Match": "*", **any_tag}),
        await client.post("/shelf", json={"name": "a"}, headers=any_tag),
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 200, 201]


MALFORMED = [
    "", " ", "1", "{bare}", '"', '"a', 'a"', "'a'", "**", '*, "a"', "{tag}, *", "W/*", "w/{tag}", "W/ {tag}", "W{tag}",
    "{tag} {tag}", "{tag}{tag}", '"a b"', "{tag};", "{tag}, x", '"a"b"', '"\\"a"',
]  # fmt: skip


@pytest.mark.parametrize("method", BODIES)
async def test_an_if_match_that_is_malformed_is_400_and_none_is_428(
    shop: Shop, client: AsyncClient, method: str
) -> None:
    shop.put({"id": ROW, "name": "old"})
    tag = etag(shop.id("acme"), ROW, 1)
    forms = [one.format(tag=tag, bare=tag.strip('"')) for one in MALFORMED]
    answers = {form: kind(await send(client, method, form)) for form in forms}

    assert answers == dict.fromkeys(forms, (400, "bad-request"))
    assert kind(await send(client, method)) == (428, "precondition-required")
    assert stored(shop) == [("old", 0, 1)]


FRESH = [
    ("{tag}",), ("*",), (" * ",), ('"x", {tag}',), ('{tag},"x",W/"y"',), ("{tag}", '"x"'), ('"x"', "{tag}"),
    ("W/{tag}",), ('"x", W/{tag}',),
]  # fmt: skip
STALE = [("{older}",), ("W/{older}",), ('"x"',), ("{older}", '"x"'), ("{other_row}",), ("{theirs}",), ("W/{theirs}",)]
OLD_AND_ODD = [('"0-{digest}"',), ('"02-{digest}"',), ('"99999999999-{digest}"',), ('"9999999999-{digest}"',), ('""',)]


@pytest.mark.parametrize("lines", FRESH, ids=" | ".join)
@pytest.mark.parametrize("method", BODIES)
async def test_a_change_goes_on_when_the_version_is_among_those_that_were_seen(
    shop: Shop, client: AsyncClient, method: str, lines: tuple[str, ...]
) -> None:
    shop.put({"id": ROW, "version": 2})
    tag = etag(shop.id("acme"), ROW, 2)
    answer = await send(client, method, *(line.format(tag=tag) for line in lines))

    assert answer.status_code == (204 if method == "DELETE" else 200)
    assert stored(shop) == ([] if method == "DELETE" else [("new", 0, 3)])


@pytest.mark.parametrize("method", BODIES)
async def test_a_change_of_what_has_changed_since_is_412(shop: Shop, client: AsyncClient, method: str) -> None:
    for tenant in ("acme", "other"):
        shop.put({"id": ROW, "name": f"of {tenant}", "version": 2}, tenant=tenant)
    tag, older = (etag(shop.id("acme"), ROW, version) for version in (2, 1))
    marks = {
        "digest": tag.strip('"').partition("-")[2],
        "other_row": etag(shop.id("acme"), MISSING, 2),
        "theirs": etag(shop.id("other"), ROW, 2),
    }
    given = [[line.format(tag=tag, older=older, **marks) for line in lines] for lines in STALE + OLD_AND_ODD]
    answers = {" | ".join(lines): await send(client, method, *lines) for lines in given}
    two_ways = await send(client, method, "*", tag)

    failed = (412, "precondition-failed")
    assert {lines: kind(answer) for lines, answer in answers.items() if kind(answer) != failed} == {}
    assert not any("of acme" in answer.text or "etag" in answer.headers for answer in answers.values())
    assert two_ways.status_code == 400
    assert sorted(stored(shop)) == [("of acme", 0, 2), ("of other", 0, 2)]


@pytest.mark.parametrize("lines", [(), ('"1-000000000000000000"',), ("*",), ("{tag}",), ("x",)], ids=str)
@pytest.mark.parametrize("method", BODIES)
async def test_what_is_another_tenants_is_answered_like_what_is_not_there(
    shop: Shop, client: AsyncClient, method: str, lines: tuple[str, ...]
) -> None:
    shop.put({"id": ROW, "name": "theirs"}, tenant="other")
    given = [line.format(tag=etag(shop.id("other"), ROW, 1)) for line in lines]
    theirs, missing = [await send(client, method, *given, row=row) for row in (ROW, MISSING)]
    if method != "DELETE":
        bad = [await send(client, method, *given, row=row, body={"qty": "x"}) for row in (ROW, MISSING)]
        assert told(bad[0]) == told(bad[1])

    assert told(theirs) == told(missing)
    assert theirs.status_code == {(): 428, ("x",): 400}.get(lines, 404)
    assert stored(shop) == [("theirs", 0, 1)]


@pytest.mark.parametrize(("method", "below"), [("GET", ""), ("POST", "/away"), ("POST", "/back"), ("PATCH", "/orm")])
async def test_ways_without_if_match_tell_no_difference_either(
    shop: Shop, client: AsyncClient, method: str, below: str
) -> None:
    shop.put({"id": ROW, "name": "theirs"}, tenant="other")
    body = {"name": "x"} if method == "PATCH" else None
    theirs, missing = [await client.request(method, f"/shelf/{row}{below}", json=body) for row in (ROW, MISSING)]

    assert theirs.status_code == 404
    assert told(theirs) == told(missing)
    assert stored(shop) == [("theirs", 0, 1)]


async def test_of_twenty_changes_at_once_with_one_etag_exactly_one_is_made(shop: Shop, client: AsyncClient) -> None:
    shop.put({"id": ROW})
    tag = etag(shop.id("acme"), ROW, 1)
    changes = [send(client, "PATCH", tag, body={"qty": number}) for number in range(1, 21)]
    answers = await asyncio.gather(*changes)

    made = [(number, answer) for number, answer in enumerate(answers, 1) if answer.status_code == 200]
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
    assert stored(shop) == [("", made[0][0], 2)]
    assert made[0][1].headers["etag"] == etag(shop.id("acme"), ROW, 2)


async def test_of_a_change_and_a_deletion_at_once_one_is_made(shop: Shop, client: AsyncClient) -> None:
    shop.put({"id": ROW})
    tag = etag(shop.id("acme"), ROW, 1)
    patched, deleted = await asyncio.gather(send(client, "PATCH", tag), send(client, "DELETE", tag))

    assert (patched.status_code, deleted.status_code) in {(200, 412), (404, 204)}


async def test_a_change_of_nothing_is_a_change_and_needs_the_version_too(shop: Shop, client: AsyncClient) -> None:
    shop.put({"id": ROW, "name": "a", "qty": 7})
    tags = [etag(shop.id("acme"), ROW, version) for version in (1, 2)]
    before = (await client.get(f"/shelf/{ROW}")).json()
    answer = await send(client, "PATCH", tags[0], body={})
    again = await send(client, "PATCH", tags[0], body={})

    changed = {name for name, value in answer.json().items() if value != before[name]}
    assert (answer.status_code, answer.headers["etag"], changed) == (200, tags[1], {"updated_at", "updated_by"})
    assert again.status_code == 412
    assert stored(shop) == [("a", 7, 2)]


async def test_a_change_keeps_what_was_not_sent_and_a_replacement_does_not(shop: Shop, client: AsyncClient) -> None:
    shop.put({"id": ROW, "name": "a", "qty": 7, "note": "n"})
    patched = (await send(client, "PATCH", "*", body={"note": None})).json()
    put = (await send(client, "PUT", "*", body={"name": "b"})).json()

    assert [(one["name"], one["qty"], one["note"]) for one in (patched, put)] == [("a", 7, None), ("b", 0, None)]


@pytest.mark.parametrize("method", BODIES)
@pytest.mark.parametrize("count", [101, 65_536])
async def test_more_etags_than_anybody_has_seen_are_400(
    shop: Shop, client: AsyncClient, method: str, count: int
) -> None:
    shop.put({"id": ROW, "name": "old"})
    tags = ",".join(etag(shop.id("acme"), ROW, version) for version in range(1, count + 1))
    answer = await send(client, method, tags)

    assert kind(answer) == (400, "bad-request")
    assert answer.json()["detail"] == "If-Match may have 100 ETags at most."
    assert stored(shop) == [("old", 0, 1)]
