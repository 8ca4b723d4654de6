"""What keeps tenants apart is looked at before the first request; what spoils it stops production (I4, I5, I9)."""

import logging
import re
from collections.abc import Generator

import pytest

from vinc_kernel.database import minimum_version
from vinc_kernel.errors import DatabaseError

from .conftest import Ground, tenant_table

TABLES = f"""
{tenant_table("a_t")}
op.execute("create table a_log (tenant_id uuid not null, at date not null) partition by range (at)")
op.execute("create table a_log_all partition of a_log default")
enable_row_level_security("a_log")
"""
CONDITION = "tenant_id = (select nullif(current_setting('vinc.tenant_id', true), '')::uuid)"


@pytest.fixture
def guarded(ground: Ground) -> Generator[Ground]:
    """A database as it should be, and its roles again as they were."""
    ground.up(ground.plugin("a", TABLES))
    yield ground
    ground.do(
        f"revoke {ground.roles.owner}, pg_read_all_data from {ground.roles.app}, {ground.roles.platform};"
        f" alter role {ground.roles.app} nosuperuser nobypassrls;"
        f" alter role {ground.roles.app} in database {ground.name} reset role;"
        f" revoke admin option for {ground.roles.platform} from {ground.roles.app};"
        f" drop schema if exists side cascade"
    )


async def test_a_database_as_it_should_be_starts_in_silence(guarded: Ground, caplog: pytest.LogCaptureFixture) -> None:
    await guarded.start()
    await guarded.start(production=False)

    assert caplog.messages == []


# What is spoiled, then the line that stops the start.
SPOILED = """
alter table a_t disable row level security
    a_t: row level security is not enabled; call enable_row_level_security("a_t") in its revision
alter table a_t no force row level security
    a_t: row level security is not forced; call enable_row_level_security("a_t") in its revision
drop policy vinc_tenant on a_t
    a_t: the policy vinc_tenant is missing; call enable_row_level_security() in a revision
create policy more on a_t using (true)
    a_t: the policy more is not expected here; make it `as restrictive`, or drop it
create policy more on a_t for insert with check (true)
    a_t: the policy more is not expected here; make it `as restrictive`, or drop it
alter policy vinc_tenant on a_t with check (true)
    a_t: the policy vinc_tenant is not expected here; make it `as restrictive`, or drop it
alter policy vinc_tenant on a_t using ({condition} or current_setting('vinc.platform') = 'on')
    a_t: the policy vinc_tenant is not expected here; make it `as restrictive`, or drop it
alter policy vinc_tenant on a_t using (tenant_id = nullif(current_setting('vinc.tenant_id', true), '')::uuid)
    a_t: the policy vinc_tenant is not expected here; make it `as restrictive`, or drop it
alter policy vinc_platform on a_t to {0.app}, {0.platform}
    a_t: the policy vinc_platform is not expected here; make it `as restrictive`, or drop it
set role {0.owner}; create table a_copy (like a_t including all)
    a_copy: row level security is not enabled; call enable_row_level_security("a_copy") in its revision
set role {0.owner}; create table a_child () inherits (a_t)
    a_child: row level security is not enabled; call enable_row_level_security("a_child") in its revision
create schema side; grant usage on schema side to {0.app}; create table side.s (n int); grant insert on side.s to {0.app}
    s: the application may use it, and nobody looks at what stands outside of the schema public; revoke that on side
create schema side; grant usage on schema side to public; create view side.v as table a_t; grant select on side.v to public
    v: the application may use it, and nobody looks at what stands outside of the schema public; revoke that on side
alter table a_log_all owner to {0.migrator}; grant select on a_log_all to {0.app}
    a_log_all: it belongs to {0.migrator}, so that nobody looks at its grants; alter its owner to {0.owner}
alter table a_t owner to {0.migrator}; grant all on a_t to {0.app}
    a_t: it belongs to {0.migrator}, so that nobody looks at its grants; alter its owner to {0.owner}
grant {0.platform} to {0.app} with admin true
    {0.app}: this role may give {0.platform} to others; revoke admin option for it
alter role {0.app} in database {1} set role = {0.platform}
    {0.app}: its sessions begin with role={0.platform}; alter role ... reset that setting
grant select on a_log_all to {0.app}
    a_log_all has the grants {0.app} select too many; run vinc db init
grant select (at) on a_log_all to {0.app}
    a_log_all has the grants {0.app} select (at) too many; run vinc db init
grant truncate on a_t to {0.app}
    a_t has the grants {0.app} truncate too many; run vinc db init
grant references on a_t to {0.platform}
    a_t has the grants {0.platform} references too many; run vinc db init
grant trigger on a_t to public
    a_t has the grants public trigger too many; run vinc db init
create view a_all as select * from a_t
    a_all: the view a_all runs as its owner; make it with security_invoker
create materialized view a_all as select * from a_t
    a_all: row level security does not guard a materialized view; drop it, or comment on it `vinc: why`
create function a_all() returns setof a_t language sql security definer as 'select * from a_t'
    a_all(): the function runs as its owner, who may see more; drop `security definer`, or comment on it `vinc: why`
create function a_now() returns text immutable language sql as $$ select current_setting('vinc.tenant_id', true) $$
    a_now(): an immutable function must not read a setting: plans keep its first answer; make it stable
create function a_now() returns text immutable return current_setting('vinc.tenant_id', true)
    a_now(): an immutable function must not read a setting: plans keep its first answer; make it stable
drop table vinc_change
    vinc_change: the kernel's table is missing; restore it
alter role {0.app} superuser
    {0.app}: this role is a superuser, so nothing keeps tenants apart; connect as {0.app}, which vinc db init puts right
alter role {0.app} bypassrls
    {0.app}: this role bypasses row level security; connect as {0.app}, which vinc db init puts right
grant {0.platform} to {0.app} with inherit true
    {0.app}: this role sees every tenant's rows without entering {0.platform}; run vinc db init, and connect as {0.app}
grant {0.owner} to {0.app} with inherit false
    {0.app}: this role is a member of {0.owner}; revoke it
grant {0.owner} to {0.platform}
    {0.platform}: this role is a member of {0.owner}; revoke it
grant pg_read_all_data to {0.app}
    {0.app}: this role is a member of pg_read_all_data; revoke it
alter table a_t owner to {0.app}
    a_t: the application connects as {0.app}, to whom this table belongs; alter its owner to {0.owner}
"""  # noqa: E501  a line for each
CASES = [pair.split("\n    ") for pair in re.split(r"\n(?! )", SPOILED.strip())]


@pytest.mark.parametrize(("change", "line"), CASES, ids=[change for change, _ in CASES])
async def test_what_endangers_a_tenants_rows_stops_production_and_is_told_of_elsewhere(
    guarded: Ground, caplog: pytest.LogCaptureFixture, change: str, line: str
) -> None:
    guarded.do(change.format(guarded.roles, guarded.name, condition=CONDITION))

    with pytest.raises(DatabaseError) as refused:
        await guarded.start()
    await guarded.start(production=False)

    lines = str(refused.value).split("\n")
    assert line.format(guarded.roles) in lines
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == lines


async def test_a_policy_that_uses_an_immutable_function_is_told_of(guarded: Ground) -> None:
    guarded.do("create function a_one() returns boolean immutable language sql as 'select true'")
    guarded.do("create policy narrow on a_t as restrictive using (a_one())")

    with pytest.raises(DatabaseError, match=r"^a_one\(\): the policy narrow uses this immutable function: plans keep"):
        await guarded.start()


@pytest.mark.parametrize(
    "made",
    [
        "materialized view a_all as select * from a_t",
        "function a_all() returns setof a_t language sql security definer as 'select * from a_t'",
    ],
)
async def test_an_exception_that_somebody_has_written_down_starts(guarded: Ground, made: str) -> None:
    kind = made.partition(" a_all")[0]
    guarded.do(f"create {made}; comment on {kind} a_all is 'vinc: the operator''s monthly report'")

    await guarded.start()


async def test_every_danger_is_a_line_of_its_own(guarded: Ground) -> None:
    guarded.do("alter table a_t disable row level security; drop policy vinc_platform on a_log")

    with pytest.raises(DatabaseError) as refused:
        await guarded.start()

    assert str(refused.value).split("\n") == [
        'a_t: row level security is not enabled; call enable_row_level_security("a_t") in its revision',
        "a_log: the policy vinc_platform is missing; call enable_row_level_security() in a revision",
    ]


async def test_another_role_than_the_applications_is_told_to_be_that(guarded: Ground) -> None:
    with pytest.raises(DatabaseError) as refused:
        await guarded.start(guarded.roles.migrator)

    name, app = guarded.roles.migrator, guarded.roles.app
    assert str(refused.value).split("\n") == [
        f"{name}: this role bypasses row level security; connect as {app}, which vinc db init puts right",
        f"{name}: this role is a member of {guarded.roles.owner}; connect as {app}",
    ]


async def test_a_server_with_known_holes_stops_production(guarded: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minimum_version, "MINIMUM_VERSIONS", {18: 189_999, 17: 179_999, 16: 169_999})

    with pytest.raises(DatabaseError, match=r"^PostgreSQL 1\d\.\d+ has known holes in row level security; bring it to"):
        await guarded.start()
