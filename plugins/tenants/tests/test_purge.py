"""Purging: all of one tenant goes and nothing of another's, or nothing does; the slug and a receipt stay."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from vinc_kernel import App, NotFound
from vinc_kernel.rest import uuid7
from vinc_tenants import commands, service
from vinc_tenants import purge as purging
from vinc_tenants.directory import StoredTenants
from vinc_tenants.errors import PurgeFailed, Refused
from vinc_testing import ClientAs, Database, VincApp, eventually

from .conftest import COUNT, SET_UP, Billing, Step, fail, plant, rows_of, swallow

KEEP = """
create function keep() returns trigger language plpgsql as 'begin return null; end';
create trigger keep before delete on retired_note for each row execute function keep();
"""


@dataclass(frozen=True)
class Key:
    """What a tenant is found by."""

    id: UUID
    slug: str = "acme"


METHODS = ("GET", "POST")


class KilledHere(BaseException):
    """What a purge is killed with."""


def status_of(database: Database) -> str:
    ((status,),) = database.admin.execute("select status from tenants_tenant").fetchall()
    return str(status)


def set_status(database: Database, status: str) -> None:
    database.admin.execute("update tenants_tenant set status = %s", [status])


def closed(database: Database, slug: str, *, days: int = -1) -> UUID:
    made = database.add_tenant(slug)
    database.admin.execute(
        "update tenants_tenant set status = 'closing', purge_after = now() + %s * interval '1 day',"
        " legal_name = 'Mario Rossi', legal_email = 'mario@acme.de', settings = '{\"billing\": {\"footer\": \"M\"}}'"
        " where id = %s",
        [days, made],
    )
    return made


@pytest.fixture
def app(vinc_app: VincApp) -> App:
    return vinc_app.plugin("tenants")


async def test_all_rows_of_one_tenant_go_and_none_of_another(app: App, tables: Database, billing: Billing) -> None:
    ours, theirs = closed(tables, "acme"), closed(tables, "globex", days=1)
    plant(tables, ours, invoices=3, notes=2)
    plant(tables, theirs)
    done = await purging.purge(app, Key(ours))

    assert done == purging.Purged(slug="acme", rows={"billing_invoice": 3, "billing_line": 3, "retired_note": 2})
    assert set(rows_of(tables, ours).values()) == {0}
    assert set(rows_of(tables, theirs).values()) == {1}
    assert [(one.tenant.slug, one.tenant.id) for one in billing.purged if one.tenant] == [("acme", ours)]


async def test_the_slug_and_a_receipt_stay_and_nothing_personal(app: App, tables: Database) -> None:
    ours = closed(tables, "acme")
    plant(tables, ours)
    await purging.purge(app, Key(ours))
    ((row,),) = tables.admin.execute("select to_jsonb(t) from tenants_tenant t").fetchall()
    ((receipt,),) = tables.admin.execute("select to_jsonb(r) from tenants_receipt r").fetchall()
    times = {"created_at", "updated_at", "version"}

    assert {key: value for key, value in row.items() if value and key not in times} == {
        "id": str(ours),
        "slug": "acme",
        "name": "acme",
        "status": "purged",
    }
    assert (receipt["tenant"], receipt["slug"]) == (str(ours), "acme")
    assert receipt["rows_before"] == {"billing_invoice": 1, "billing_line": 1, "retired_note": 1}
    assert receipt["rows_after"] == {"billing_invoice": 0, "billing_line": 0, "retired_note": 0}


async def test_rows_of_append_only_tables_stay_and_are_named_in_the_receipt(
    app: App, log: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = closed(log, "acme")
    plant(log, ours)
    log.admin.execute("insert into billing_log (tenant_id) values (%s), (%s), (%s)", [ours, ours, uuid7()])
    with pytest.raises(Refused):
        await commands.purge(app, "acme")
    shown = capsys.readouterr().out
    await commands.purge(app, "acme", yes=True)
    ((before, after),) = log.admin.execute("select rows_before, rows_after from tenants_receipt").fetchall()

    assert "2 rows of billing_log would stay: it is append-only\n" in shown
    assert capsys.readouterr().out == "purged acme: 3 rows of 3 tables; 2 rows of billing_log stay\n"
    assert before == {"billing_invoice": 1, "billing_line": 1, "billing_log": 2, "retired_note": 1}
    assert after == {"billing_invoice": 0, "billing_line": 0, "billing_log": 2, "retired_note": 0}
    assert log.admin.execute("select count(*) from billing_log").fetchall() == [(3,)]


@pytest.mark.parametrize(
    ("step", "why"), [(fail, "it raised ValueError"), (swallow, "it went on after an error of the database")]
)
async def test_a_failing_plugin_rolls_the_purge_back_and_it_can_be_repeated(
    app: App, tables: Database, billing: Billing, step: Step, why: str
) -> None:
    tenants = {slug: closed(tables, slug) for slug in ("acme", "globex")}
    for tenant in tenants.values():
        plant(tables, tenant)
    billing.on_purge = step
    failures = [str(one) async for one in purging.purge_due(app)]
    left = [set(rows_of(tables, tenant).values()) for tenant in tenants.values()]
    billing.on_purge = None
    done = [one async for one in purging.purge_due(app)]

    assert [line.split(";")[0] for line in failures] == [f"{slug}: billing: tenant_purge: {why}" for slug in tenants]
    assert left == [{1}, {1}]
    assert [one.slug for one in done if isinstance(one, purging.Purged)] == ["acme", "globex"]
    assert [set(rows_of(tables, tenant).values()) for tenant in tenants.values()] == [{0}, {0}]


async def test_a_purge_that_fails_does_not_stop_the_others(app: App, tables: Database, billing: Billing) -> None:
    ours, theirs = closed(tables, "acme", days=-2), closed(tables, "globex")
    plant(tables, ours)
    tables.admin.execute(
        "create table outside_tie (id uuid primary key, of uuid, invoice uuid,"
        " foreign key (of, invoice) references billing_invoice)"
    )
    tables.admin.execute("insert into outside_tie select id, tenant_id, id from billing_invoice")
    try:
        failures = [one async for one in purging.purge_due(app)]
    finally:
        await asyncio.to_thread(tables.admin.execute, "drop table outside_tie")  # waits for the rollback

    assert str(failures[0]) == "acme: Something else refers to this, or what this refers to does not exist."
    assert [type(one).__name__ for one in failures] == ["PurgeFailed", "Purged"]
    assert set(rows_of(tables, ours).values()) == {1}
    assert set(rows_of(tables, theirs).values()) == {0}


async def test_rows_that_cannot_be_deleted_fail_the_purge(app: App, tables: Database) -> None:
    ours = closed(tables, "acme")
    plant(tables, ours)
    tables.admin.execute(KEEP)
    try:
        with pytest.raises(
            PurgeFailed, match="acme: 1 rows of retired_note were added meanwhile, or cannot be deleted"
        ):
            await purging.purge(app, Key(ours))
    finally:
        await asyncio.to_thread(tables.admin.execute, "drop function keep cascade")  # waits for the rollback

    assert set(rows_of(tables, ours).values()) == {1}
    assert tables.admin.execute("select status from tenants_tenant").fetchall() == [("purging",)]
    assert tables.admin.execute("select count(*) from tenants_receipt").fetchall() == [(0,)]


@pytest.mark.parametrize("status", ["active", "suspended", "purged"])
async def test_only_a_closing_tenant_is_purged(app: App, tables: Database, status: str) -> None:
    ours = tables.add_tenant("acme")
    tables.admin.execute("update tenants_tenant set status = %s", [status])
    plant(tables, ours)

    assert await purging.purge(app, Key(ours), at_once=True) is None
    assert [one async for one in purging.purge_due(app)] == []
    assert set(rows_of(tables, ours).values()) == {1}


async def test_the_grace_period_counts_unless_at_once(app: App, vinc_app: VincApp, tables: Database) -> None:
    ours, theirs = closed(tables, "acme", days=1), closed(tables, "globex", days=1)
    early = [one async for one in purging.purge_due(app)]

    assert early == []
    assert await purging.purge(app, Key(ours)) is None
    assert await purging.purge(app, Key(ours), at_once=True) is not None
    vinc_app.clock.advance(days=1)
    assert await purging.purge(app, Key(theirs, "globex")) is not None


async def test_rows_of_a_running_transaction_are_purged_too(app: App, tables: Database) -> None:
    ours = closed(tables, "acme")
    async with app.session(ours) as db:
        await db.execute(SET_UP)
        purging_it = asyncio.create_task(purging.purge(app, Key(ours)))
        await asyncio.sleep(0.3)
    done = await purging_it

    assert done is not None
    assert done.rows["billing_invoice"] >= 1
    assert set(rows_of(tables, ours).values()) == {0}


async def test_a_purge_gives_up_on_a_long_transaction(
    app: App, tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "SECONDS_TO_WAIT", 0.2)
    ours = closed(tables, "acme")
    async with app.session(ours) as db:
        await db.execute(SET_UP)
        with pytest.raises(PurgeFailed, match="a long transaction is still running"):
            await purging.purge(app, Key(ours))

    assert rows_of(tables, ours)["billing_invoice"] >= 1


async def test_a_transaction_that_has_not_written_yet_is_waited_for(app: App, tables: Database) -> None:
    ours = closed(tables, "acme")

    async def is_purging() -> bool:
        return status_of(tables) == "purging"

    async with app.session(ours) as db:
        await db.one(COUNT, dict)
        purging_it = asyncio.create_task(purging.purge(app, Key(ours)))
        await eventually(is_purging)
        await db.execute(SET_UP)
    done = await purging_it

    assert done is not None
    assert set(rows_of(tables, ours).values()) == {0}


async def test_what_is_written_while_another_worker_knows_the_old_status_is_purged_too(
    app: App,
    vinc_app: VincApp,
    vinc_second_app: VincApp,
    client_as: ClientAs,
    tables: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, caches = tables.add_tenant("acme"), vinc_second_app.application.runtime.caches
    vinc_app.application.runtime.caches.publish = lambda _: None  # Redis is frozen
    member = client_as("wholesale_admin", "acme")
    async with vinc_second_app.client(member.headers, auth=member.auth) as client:
        before = (await client.get("/billing")).status_code
        monkeypatch.setattr(caches, "update", lambda *_, **__: None)  # the second in which it does not ask
        monkeypatch.setattr(caches, "read_at", float("inf"))
        statuses = []

        async def write_meanwhile() -> None:
            assert status_of(tables) == "purging"
            statuses.append((await client.post("/billing")).status_code)
            caches.clear()

        monkeypatch.setattr(purging, "wait_until_refused", write_meanwhile)
        tables.admin.execute("update tenants_tenant set status = 'closing', purge_after = now()")
        done = await purging.purge(app, Key(ours), at_once=True)
        after = await client.post("/billing")

    assert (before, statuses) == (200, [204])
    assert done is not None
    assert done.rows["billing_invoice"] == 1
    assert set(rows_of(tables, ours).values()) == {0}
    assert (after.status_code, after.json()["type"]) == (403, "urn:vinc:problem:forbidden")


@pytest.mark.parametrize("step", ["wait_until_refused", "wait_for_old_transactions", "delete_all"])
async def test_a_purge_that_was_killed_goes_on_when_it_is_run_again(
    app: App, tables: Database, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    ours = closed(tables, "acme")
    plant(tables, ours)

    async def be_killed(*_: object) -> None:
        raise KilledHere

    with monkeypatch.context() as patch:
        patch.setattr(purging, step, be_killed)
        with pytest.raises(KilledHere):
            await purging.purge(app, Key(ours))
    between = (status_of(tables), set(rows_of(tables, ours).values()))
    done = [one async for one in purging.purge_due(app)]

    assert between == ("purging", {1})
    assert [type(one).__name__ for one in done] == ["Purged"]
    assert (status_of(tables), set(rows_of(tables, ours).values())) == ("purged", {0})


@pytest.mark.parametrize("status", ["purging", "purged"])
async def test_nobody_works_in_a_tenant_from_the_beginning_of_its_purge(
    app: App, client_as: ClientAs, tables: Database, status: str
) -> None:
    ours = tables.add_tenant("acme")
    member, platform = client_as("wholesale_admin", "acme"), client_as("super_admin", "acme")
    async with app.session(ours) as db:
        set_status(tables, status)
        app.get(StoredTenants).cache.clear()
        with pytest.raises(NotFound, match="There is no such tenant, or it is purged"):
            await db.execute(SET_UP)
    refused = [(await client.request(how, "/billing")).status_code for client in (member, platform) for how in METHODS]

    assert refused == [403] * 4
    assert set(rows_of(tables, ours).values()) == {0}


async def test_a_tenant_that_is_being_purged_is_listed_and_cannot_be_changed(
    client_as: ClientAs, tables: Database
) -> None:
    ours, client = tables.add_tenant("acme"), client_as("super_admin", "")
    set_status(tables, "purging")
    listed = (await client.get("/tenants", params={"status": "purging"})).json()["items"]
    answers = [
        await client.post(f"/tenants/{ours}/suspend"),
        await client.post(f"/tenants/{ours}/reactivate"),
        await client.delete(f"/tenants/{ours}", headers={"If-Match": "*"}),
    ]

    assert [one["status"] for one in listed] == ["purging"]
    assert {(one.status_code, one.json()["type"]) for one in answers} == {(409, "urn:vinc:problem:tenant-purging")}
    assert status_of(tables) == "purging"


async def test_a_quarantined_plugin_fails_the_purge_before_it_begins(
    app: App, vinc_app: VincApp, tables: Database
) -> None:
    ours = closed(tables, "acme")
    plant(tables, ours)
    states = vinc_app.application.runtime.registry.states
    states["health"] = replace(states["health"], state="quarantined", why="health: lifespan: KeyError")
    failures = [str(one) async for one in purging.purge_due(app)]
    for options in ({"yes": True}, {"yes": True, "without": "health"}, {}):
        with pytest.raises(PurgeFailed, match="health is quarantined"):
            await commands.purge(app, "acme", **options)

    assert failures == ["acme: health is quarantined and cannot delete what it keeps: health: lifespan: KeyError"]
    assert (status_of(tables), set(rows_of(tables, ours).values())) == ("closing", {1})


async def test_a_plugin_that_is_not_enabled_is_left_out_on_purpose_and_named_in_the_receipt(
    app: App, retired: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = closed(retired, "acme")
    plant(retired, ours)
    for options in ({}, {"yes": True}, {"yes": True, "without": "other"}):
        with pytest.raises(PurgeFailed, match=r"retired: not enabled, .*: --without retired$"):
            await commands.purge(app, "acme", **options)
    with pytest.raises(PurgeFailed, match="billing: --without is for plugins that are not enabled"):
        await commands.purge(app, "acme", yes=True, without="retired,billing")
    before = (status_of(retired), await commands.purge(app, due=True), capsys.readouterr().err)
    await commands.purge(app, due=True, without="retired")
    ((skipped,),) = retired.admin.execute("select skipped_plugins from tenants_receipt").fetchall()

    assert before[:2] == ("closing", 1)
    assert before[2].startswith("vinc: acme: retired: not enabled")
    assert capsys.readouterr().out == "purged acme: 3 rows of 3 tables; without retired\n"
    assert skipped == ["retired"]


async def test_rows_that_come_after_a_purge_can_be_purged_with_a_receipt_of_their_own(
    app: App, tables: Database
) -> None:
    ours = closed(tables, "acme")
    await commands.purge(app, "acme", yes=True)
    with pytest.raises(Refused, match="acme was purged already"):
        await commands.purge(app, "acme", yes=True)
    plant(tables, ours)
    await commands.purge(app, "acme", yes=True)
    receipts = tables.admin.execute("select rows_before -> 'retired_note' from tenants_receipt order by purged_at")

    assert receipts.fetchall() == [(0,), (1,)]
    assert (status_of(tables), set(rows_of(tables, ours).values())) == ("purged", {0})


async def test_closing_twice_keeps_purge_after(app: App, tables: Database) -> None:
    ours = tables.add_tenant("acme")
    ends = []
    for _ in range(2):
        async with app.platform_session("a test closes it") as db:
            ends.append((await service.close_any_version(app, db, ours)).purge_after)

    assert ends[0] is not None
    assert ends[0] == ends[1]
