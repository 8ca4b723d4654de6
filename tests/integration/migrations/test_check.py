"""`vinc db check` is red for whatever somebody changes by hand: Alembic alone would not see most of it (M8)."""

import re
from collections.abc import Sequence

import pytest
from sqlalchemy import CheckConstraint, Index, MetaData, Text
from sqlalchemy.orm import Mapped, mapped_column

from vinc_kernel.database.base import Base, TenantOwned
from vinc_kernel.database.versions import History
from vinc_migrations.check import check
from vinc_migrations.write import write_revision

from .conftest import Ground, tenant_table


class Apart(TenantOwned):
    """Tables of these tests, which no application of other tests must find in the shared metadata."""

    __abstract__ = True
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)


class Invoice(Apart):
    __tablename__ = "invoices_invoice"
    __table_args__ = (
        CheckConstraint("number <> ''", name="number"),
        Index(None, "tenant_id", "number", unique=True),
    )
    number: Mapped[str] = mapped_column(Text)
    paid: Mapped[bool] = mapped_column(server_default="false")


MODELS: dict[str, Sequence[type[Base]]] = {"invoices": [Invoice]}


@pytest.fixture
def invoices(ground: Ground) -> History:
    """A history whose only revision `vinc db revision` has written, and that was run."""
    history = ground.plugin("invoices")
    url = ground.url(ground.roles.migrator)
    write_revision(url, history, "The table of invoices", models=[Invoice], options=ground.options)
    ground.up(history)
    return history


def findings(ground: Ground, *histories: History) -> list[str]:
    return check(ground.url(ground.roles.migrator), histories, MODELS, ground.options)


def test_a_written_revision_makes_what_the_models_say_protected(ground: Ground, invoices: History) -> None:
    assert findings(ground, invoices) == []
    (file,) = invoices.versions.glob("*_the_table_of_invoices.py")
    assert 'enable_row_level_security("invoices_invoice")' in file.read_text()


def test_a_written_revision_goes_down_and_up_again(ground: Ground, invoices: History) -> None:
    ground.down(invoices)
    ground.up(invoices)

    assert findings(ground, invoices) == []


# What is done by hand, then what `vinc db check` says of it.
BY_HAND = """
alter table invoices_invoice add column more text
    models and database differ: remove_column invoices_invoice.more
alter table invoices_invoice drop column paid
    models and database differ: add_column invoices_invoice.paid
alter table invoices_invoice alter column number drop not null
    modify_nullable invoices_invoice.number
alter table invoices_invoice alter column number type varchar(9)
    modify_type invoices_invoice.number
alter table invoices_invoice alter column tenant_id drop default
    modify_default invoices_invoice.tenant_id
alter table invoices_invoice alter column paid set default true
    modify_default invoices_invoice.paid
drop index ix_invoices_invoice_tenant_id_number
    add_index invoices_invoice.ix_invoices_invoice_tenant_id_number
alter table invoices_invoice drop constraint ck_invoices_invoice_number
    lacks the check ck_invoices_invoice_number
alter table invoices_invoice add constraint c check (paid)
    has the check c, its model not
alter table invoices_invoice disable row level security
    row level security is not enabled
alter table invoices_invoice no force row level security
    row level security is not forced
drop policy vinc_tenant on invoices_invoice
    the policy vinc_tenant is missing
drop policy vinc_platform on invoices_invoice
    the policy vinc_platform is missing
create policy more on invoices_invoice using (true)
    the policy more is not expected here
alter policy vinc_tenant on invoices_invoice to public
    the policy vinc_tenant is not expected here
alter policy vinc_tenant on invoices_invoice using (tenant_id is not null)
    the policy vinc_tenant is not expected
revoke update on invoices_invoice from {0.app}
    invoices_invoice lacks the grants {0.app} update; run vinc db init
grant truncate on invoices_invoice to {0.app}
    has the grants {0.app} truncate too many; run vinc db init
grant select on invoices_invoice to public
    has the grants public select too many; run vinc db init
grant select (number) on invoices_invoice to {0.app}
    has the grants {0.app} select (number) too many; run vinc db init
set role {0.owner}; create table p (n int) partition by range (n); create table q partition of p default
    q has the grants {0.app} delete, {0.app} insert, {0.app} select, {0.app} update
create materialized view m as select * from invoices_invoice
    m: row level security does not guard a materialized view; drop it, or comment on it `vinc: why`
create view v as select * from invoices_invoice
    v: the view v runs as its owner; make it with security_invoker
create function f() returns bigint language sql security definer as 'select count(*) from invoices_invoice'
    f(): the function runs as its owner, who may see more; drop `security definer`, or comment on it `vinc: why`
create function f() returns text language sql immutable as $$ select current_setting('vinc.tenant_id') $$
    f(): an immutable function must not read a setting: plans keep its first answer; make it stable
create function f() returns bool immutable return true; create policy p on invoices_invoice as restrictive using (f())
    f(): the policy p uses this immutable function: plans keep its first answer; make it stable
create function f() returns text language sql return set_config('vinc.tenant_id', concat(1, ','), false)
    f(): what the function does outlives its transaction, and others get the connection next; use set_config(..., true)
create function f() returns void language plpgsql as $$ begin perform pg_advisory_lock(1); end $$
    f(): what the function does outlives its transaction
create function f() returns void language plpgsql as $$ begin perform 1; listen news; end $$
    f(): what the function does outlives its transaction
create function f() returns void language sql as 'set role none'
    f(): what the function does outlives its transaction
create function f() returns void language sql as 'prepare q as select 1'
    f(): what the function does outlives its transaction
create function f() returns void language plpgsql as $$ begin execute 'listen x'; end $$
    f(): nobody can look into the text that the function executes; write the statement itself, or comment on it
create function f() returns setof int language plpgsql as $$ begin return query execute format('select %s', 1); end $$
    f(): nobody can look into the text that the function executes
create unique index i on invoices_invoice (number)
    invoices_invoice: the unique index i does not begin with tenant_id
alter table invoices_invoice add constraint x exclude using btree (number with =)
    invoices_invoice: the exclusion constraint x does not compare tenant_id by =
alter table invoices_invoice add unique (id), add m uuid references invoices_invoice (id)
    invoices_invoice: the foreign key invoices_invoice_m_fkey does not begin with tenant_id
alter table invoices_invoice add m uuid, add foreign key (tenant_id, m) references invoices_invoice on delete set null
    invoices_invoice: the foreign key invoices_invoice_tenant_id_m_fkey would empty tenant_id; write `on delete set
alter table invoices_invoice add constraint c foreign key (tenant_id, id) references invoices_invoice not valid
    invoices_invoice: the constraint c is not validated
grant temporary on database {0.prefix} to {0.app}
    {0.app} may make temporary tables in {0.prefix}, which hide real ones; run vinc db init
grant pg_read_all_data to {0.app}
    {0.app}: this role is a member of pg_read_all_data; revoke it
grant {0.owner} to {0.platform}
    {0.platform}: this role is a member of {0.owner}; revoke it
grant insert on vinc_version_invoices to {0.app}
    vinc_version_invoices has the grants {0.app} insert too many
revoke {0.owner} from {0.migrator}
    {0.migrator} is not a member of {0.owner}; run vinc db init
grant {0.platform} to {0.app} with inherit true
    sees every tenant's rows without entering it; run vinc db init
grant {0.owner} to {0.app} with inherit false
    {0.app}: this role is a member of {0.owner}; revoke it
alter role {0.app} bypassrls
    row level security does not bind the role {0.app}; run vinc db init
alter role {0.app} reset statement_timeout
    the role {0.app} has no statement_timeout; run vinc db init
revoke select on invoices_invoice from {0.backup}
    invoices_invoice lacks the grants {0.backup} select; run vinc db init
grant update on invoices_invoice to {0.backup}
    invoices_invoice has the grants {0.backup} update too many; run vinc db init
alter role {0.backup} createrole
    the role {0.backup} has rights over the cluster; run vinc db init
alter role {0.owner} login
    the role {0.owner} may log in
grant create on schema public to {0.app}
    {0.app} may make tables in the schema public; run vinc db init
alter default privileges for role {0.owner} in schema public grant truncate on tables to {0.app}
    are not granted to {0.app} and {0.platform} as they should be; run vinc db init
alter table invoices_invoice owner to {0.migrator}
    invoices_invoice belongs to the role {0.migrator}, not to
set role {0.owner}; create table invoices_more (n int)
    invoices_more was made by no plugin's revision
drop table invoices_invoice
    invoices_invoice of invoices is gone; restore it
update pg_index set indisvalid = false where indexrelid = 'pk_invoices_invoice'::regclass
    the index pk_invoices_invoice is invalid
delete from vinc_version_invoices
    the database is at base, not at
update vinc_version_invoices set version_num = 'newer'
    at newer, which this version does not have
"""
PAIRS = [pair.split("\n    ") for pair in re.split(r"\n(?! )", BY_HAND.strip())]


@pytest.mark.parametrize(("change", "finding"), PAIRS)
def test_what_is_changed_by_hand_is_found(ground: Ground, invoices: History, change: str, finding: str) -> None:
    ground.do(change.format(ground.roles))
    try:
        found = findings(ground, invoices)
    finally:
        roles = ground.roles
        ground.do(f"revoke {roles.owner}, pg_read_all_data from {roles.app}, {roles.platform}")
        ground.do(f"alter role {roles.owner} nologin")

    wanted = finding.format(ground.roles)
    assert any(wanted in line for line in found), found
    assert all("\n" not in line for line in found)


OUTLIVES = (
    "perform set_config('a.b', (select 'x,true)'), false);",
    "perform set_config('a.b', ', true)', false);",
    "perform set_config/* */('a.b', 'x', false);",
    "perform \"set_config\"('a.b', 'x', 1 = 2);",
    "perform set_config(setting_name => 'a.b', new_value => 'x', is_local => false);",
    r"""perform U&"set\005fconfig"('a.b', 'x', false);""",
    "/* */ listen x;",
    "-- it's\n listen x;",
    "if true then unlisten *; end if;",
    "reset all;",
    "set session work_mem = '1MB';",
    "create temp table z (n int);",
    "perform setseed(0.5);",
    "perform pg_advisory_unlock(1);",
    "update pg_settings set setting = '1MB' where name = 'work_mem';",
)


INNOCENT = """
perform set_config('a.b', (select concat('x', (select ', false)'))), true);
perform set_config('a.b', 'it''s', is_local => true); perform set_config('a', current_setting('b', false), true);
set local work_mem = '1MB'; set constraints all deferred; notify news; perform pg_advisory_xact_lock(1);
update invoices_invoice set number = 'a; listen x;' where number = current_setting('a.b', true);
-- listen x; it's
/* set_config('a.b', 'x', false); * reset all; */
perform listen, prepare, case when true then listen else prepare end from (select 1 as listen, 2 as prepare) as t;
perform case when true then 1 else listen end from (select 1 as listen) as t;
perform $q$; set role none; $q$; perform E'\\'; reset all; '; create temp table z (n int) on commit drop;
grant execute on function f() to current_user;
"""


@pytest.mark.parametrize("body", OUTLIVES)
def test_what_a_function_leaves_in_its_session_is_found(ground: Ground, invoices: History, body: str) -> None:
    ground.do(f"create function f() returns void language plpgsql as $f$ begin {body} end $f$")

    (found,) = findings(ground, invoices)
    assert found.startswith("f(): what the function does outlives its transaction")


@pytest.mark.parametrize("line", INNOCENT.strip().splitlines())
def test_what_ends_with_the_transaction_is_no_finding(ground: Ground, invoices: History, line: str) -> None:
    ground.do(f"create function f() returns void language plpgsql as $f$ begin {line}\n end $f$")

    assert findings(ground, invoices) == []


def test_a_function_that_says_why_may_execute_a_text(ground: Ground, invoices: History) -> None:
    ground.do("create function f() returns void language plpgsql as $f$ begin execute 'select 1'; end $f$")
    ground.do("comment on function f() is 'vinc: a constant'")

    assert findings(ground, invoices) == []


def test_what_init_can_mend_is_mended_by_it(ground: Ground, invoices: History) -> None:
    from vinc_migrations.prepare import prepare

    ground.do(f"revoke all on invoices_invoice from {ground.roles.app}")
    ground.do(f"revoke usage on schema public from public, {ground.roles.app}")
    assert len(findings(ground, invoices)) == 2

    prepare(ground.servers.postgres, ground.name, ground.roles, {})

    assert findings(ground, invoices) == []


def test_tables_of_a_plugin_that_is_not_there_stay_guarded(ground: Ground, invoices: History) -> None:
    def found() -> list[str]:
        return check(ground.url(ground.roles.migrator), (), {}, ground.options)

    assert found() == []
    ground.do("alter table invoices_invoice disable row level security")

    assert len(found()) == 1


def test_a_bare_statement_is_found(ground: Ground, invoices: History) -> None:
    revision = next(invoices.versions.glob("*.py"))
    number = len(revision.read_text().splitlines()) + 1
    with revision.open("a") as file:
        file.write('    op.execute("update invoices_invoice set paid = true")\n')

    what = "execute() runs 'update invoices_invoice set paid = true'"
    assert findings(ground, invoices) == [
        f"invoices: {what} ({revision}:{number}); put it into `with data_migration(expect=n):`"
    ]


def test_a_change_that_keeps_people_waiting_is_found(ground: Ground) -> None:
    index = 'op.create_index("i", "invoices_invoice", ["tenant_id", "name"])'
    history = ground.plugin("invoices", tenant_table("invoices_invoice"), index)
    ground.up(history)

    found = findings(ground, history)

    assert any(line.startswith("invoices: create_index() reads or writes all of invoices_invoice (") for line in found)


def test_models_without_any_revision_are_found(ground: Ground, invoices: History) -> None:
    assert findings(ground) == ["invoices: it has models and no revision; run vinc db revision --plugin invoices"]
