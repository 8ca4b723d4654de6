"""Append-only tables: rows are added and read, and the platform blanks what is personal; as the model declares it."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import MetaData, Text
from sqlalchemy.orm import Mapped, mapped_column

from vinc_kernel.database.base import Base, TenantOwned
from vinc_kernel.database.versions import History
from vinc_kernel.errors import DatabaseError
from vinc_migrations.check import check
from vinc_migrations.prepare import prepare
from vinc_migrations.purge import purge
from vinc_migrations.write import write_revision

from .conftest import ACME, GLOBEX, Ground, tenant_table


class Apart(TenantOwned):
    """Tables of these tests, which no application of other tests must find in the shared metadata."""

    __abstract__ = True
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)


class Event(Apart):
    __tablename__ = "audit_event"
    __append_only__ = True
    __blankable__ = ("email", "Phone")

    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column("Phone", Text)


WRITTEN = 'enable_append_only("audit_event", blankable=["email", "Phone"])'
DELETE = "delete from audit_event"
ADD = "insert into audit_event (id, name, email, \"Phone\") values (gen_random_uuid(), 'n', 'a@b.de', '1')"


@pytest.fixture
def audit(ground: Ground) -> History:
    return ground.written("audit", Event)


def findings(ground: Ground, history: History, models: Sequence[type[Base]] = (Event,)) -> list[str]:
    return check(ground.url(ground.roles.migrator), [history], {"audit": models}, ground.options)


def as_tenant(ground: Ground, tenant: UUID, statement: str) -> list[object]:
    with ground.connect(ground.roles.app) as connection, connection.transaction():
        connection.execute("select set_config('vinc.tenant_id', %s, true)", (str(tenant),))
        cursor = connection.execute(statement.encode())
        return [row[0] for row in cursor] if cursor.description else []


def as_platform(ground: Ground, statement: str) -> None:
    with ground.connect(ground.roles.app) as connection, connection.transaction():
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(ground.roles.platform)))
        connection.execute(statement.encode())


async def test_what_the_model_declares_is_written_granted_and_equal(ground: Ground, audit: History) -> None:
    (file,) = audit.versions.glob("*.py")

    assert WRITTEN in file.read_text()
    assert findings(ground, audit) == []
    await ground.start()
    with pytest.raises(DatabaseError, match="audit: models and database are equal"):
        write_revision(ground.url(ground.roles.migrator), audit, "More", models=[Event], options=ground.options)


def test_the_application_adds_and_reads_its_tenants_rows_and_changes_none(ground: Ground, audit: History) -> None:
    as_tenant(ground, ACME, ADD)
    as_tenant(ground, GLOBEX, ADD)

    assert as_tenant(ground, ACME, "select tenant_id from audit_event") == [ACME]
    for refused in ("update audit_event set name = 'x'", "update audit_event set email = null", DELETE):
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            as_tenant(ground, ACME, refused)


def test_the_platform_only_blanks_the_columns_that_are_named(ground: Ground, audit: History) -> None:
    as_tenant(ground, ACME, ADD)
    as_tenant(ground, GLOBEX, ADD)
    for refused in ("set name = 'x'", "set name = null", "set tenant_id = null"):
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            as_platform(ground, f"update audit_event {refused}")
    for refused in ("set email = 'x'", "set email = null, \"Phone\" = '2'", "set email = null"):
        with pytest.raises(InsufficientPrivilege, match='row-level security policy "vinc_blank"'):
            as_platform(ground, f"update audit_event {refused}")
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        as_platform(ground, DELETE)

    as_platform(ground, f"update audit_event set email = null, \"Phone\" = null where tenant_id = '{ACME}'")

    rows = ground.rows('select tenant_id, name, email, "Phone" from audit_event order by 1')
    assert rows == [(ACME, "n", None, None), (GLOBEX, "n", "a@b.de", "1")]


# What is done by hand, then what a start and `vinc db check` say of it.
BY_HAND = {
    "grant update on audit_event to {0.app}": "audit_event has the grants {0.app} update too many; run vinc db init",
    "grant delete on audit_event to {0.platform}": "{0.platform} delete too many; run vinc db init",
    "grant update (name) on audit_event to {0.platform}": "{0.platform} update (name) too many; run vinc db init",
    "drop policy vinc_blank on audit_event": "audit_event: nothing keeps {0.platform} from writing more than null",
    "alter policy vinc_blank on audit_event with check (true)": "audit_event: nothing keeps {0.platform} from writing",
    "alter policy vinc_blank on audit_event to {0.app}": "audit_event: nothing keeps {0.platform} from writing",
}


@pytest.mark.parametrize("change", BY_HAND)
async def test_what_is_changed_by_hand_stops_production_and_is_found(
    ground: Ground, audit: History, change: str
) -> None:
    wanted = BY_HAND[change].format(ground.roles)
    ground.do(change.format(ground.roles))

    assert any(wanted in line for line in findings(ground, audit))
    with pytest.raises(DatabaseError) as refused:
        await ground.start()
    assert wanted in str(refused.value)
    prepare(ground.servers.postgres, ground.name, ground.roles, {})
    assert bool(findings(ground, audit)) is ("policy" in change)


def test_a_lost_column_grant_is_found_and_granted_again(ground: Ground, audit: History) -> None:
    ground.do(f"revoke update (email) on audit_event from {ground.roles.platform}")

    assert findings(ground, audit) == [
        f"audit_event lacks the grants {ground.roles.platform} update (email); run vinc db init"
    ]
    prepare(ground.servers.postgres, ground.name, ground.roles, {})
    assert findings(ground, audit) == []


def test_a_user_who_may_not_read_the_record_leaves_the_grants_alone(ground: Ground, audit: History) -> None:
    role = f"{ground.roles.prefix}_other"
    ground.do(f"drop role if exists {role}; create role {role} login createrole password '{ground.roles.prefix}'")
    before = ground.rows("select relacl::text from pg_class where relname = 'audit_event'")
    try:
        done = prepare(ground.url(role), ground.name, ground.roles, {})
    finally:
        ground.do(f"drop owned by {role}; drop role {role}")

    assert f"this user may not read vinc_table, a member of {ground.roles.owner} may" in "".join(done.notes)
    assert ground.rows("select relacl::text from pg_class where relname = 'audit_event'") == before


def test_a_model_and_a_table_that_differ_are_found_and_a_revision_is_written(ground: Ground, audit: History) -> None:
    url, first = ground.url(ground.roles.migrator), ground.current(audit)["audit"] or ""
    kinds: dict[str, object] = {"__append_only__": False, "__blankable__": ()}
    plain = type("Plain", (Event,), {"__table__": Event.__table__, **kinds})
    table, is_now = "audit_event", "append-only, blankable email, Phone"

    (found,) = findings(ground, audit, [plain])
    what = f"audit: {table} is {is_now}, its model not append-only"
    assert found == f'{what}; make a revision that calls disable_append_only("{table}")'
    file = write_revision(url, audit, "Change them", models=[plain], options=ground.options)
    ground.up(audit)

    assert file.read_text().endswith(
        "from vinc_migrations import disable_append_only, enable_append_only\n\n"
        f'revision = "{ground.current(audit)["audit"]}"\ndown_revision = "{first}"\n\n\n'
        f'def upgrade() -> None:\n    disable_append_only("{table}")\n\n\n'
        f"def downgrade() -> None:\n    {WRITTEN}\n"
    )
    assert findings(ground, audit, [plain]) == []
    as_tenant(ground, ACME, ADD)
    as_tenant(ground, ACME, DELETE)
    ground.down(audit, first)
    with pytest.raises(InsufficientPrivilege):
        as_tenant(ground, ACME, DELETE)


def test_a_table_that_is_renamed_stays_append_only(ground: Ground, audit: History) -> None:
    first = ground.current(audit)["audit"]
    rename = ground.add(audit, 'op.execute("alter table audit_event rename to audit_entry")')
    file = audit.versions / f"{rename}.py"
    file.write_text(file.read_text().replace("'audit1'", repr(first)))
    ground.up(audit)

    assert ground.rows("select name, append_only from vinc_table") == [("audit_entry", True)]
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        as_tenant(ground, ACME, "delete from audit_entry")


def test_a_purge_of_the_plugin_drops_its_append_only_tables(ground: Ground, audit: History) -> None:
    as_tenant(ground, ACME, ADD)

    assert purge(ground.url(ground.roles.migrator), "audit", ground.options, needed_by=[], sure=True) == {
        "audit_event": 1
    }
    assert ground.rows("select * from vinc_table") == []


MAKE = tenant_table("audit_event", 'sa.Column("email", sa.Text())')
REFUSED = {
    f'{MAKE}\nenable_append_only("audit_event", blankable=["name"])': "audit_event.name cannot be blanked: there is no",
    f'{MAKE}\nenable_append_only("audit_event", blankable=["none"])': "audit_event.none cannot be blanked: there is no",
    'enable_append_only("audit_event")': 'relation "public.audit_event" does not exist',
    'enable_append_only("orders_order")': "orders_order is not a table of audit: its own plugin says what",
    f'{MAKE}\nop.execute("grant update on audit_event to public")': (
        "it runs 'grant update on audit_event to public'; grants follow from the model: set `__append_only__ = True`"
    ),
    f'{MAKE}\nwith bypass_row_level_security():\n    op.execute("/* x */ revoke all on audit_event from public")': (
        "grants follow from the model"
    ),
    "\n".join(
        [
            MAKE,
            tenant_table("audit_of", 'sa.Column("event", sa.Uuid())'),
            "with bypass_row_level_security():",
            '    op.create_foreign_key("f", "audit_of", "audit_event", ["tenant_id", "event"], ["tenant_id", "id"])',
            'enable_append_only("audit_of")',
        ]
    ): "audit_of: the foreign key f of an append-only table keeps other rows from going, or goes with them; drop it",
    (
        f'{MAKE}\nop.create_table("audit_plain", sa.Column("id", sa.Integer()), sa.Column("a", sa.Text()))'
        '\nenable_append_only("audit_plain", blankable=["a"])'
    ): "audit_plain: row level security is not enabled; call enable_row_level_security(",
}


@pytest.mark.parametrize("body", REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_kept_is_refused(ground: Ground, body: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        ground.up(ground.plugin("audit", body))

    assert REFUSED[body] in str(refused.value)
    assert ground.rows("select * from vinc_table") == []


def test_a_model_whose_blankable_columns_do_not_count_is_found(ground: Ground, audit: History) -> None:
    careless = type("Careless", (Event,), {"__table__": Event.__table__, "__append_only__": False})

    assert "audit: audit_event: __blankable__ counts with `__append_only__ = True` only; add that" in findings(
        ground, audit, [careless]
    )
