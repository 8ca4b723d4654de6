"""Tables that only the platform's role sees, as `PlatformOwned` declares them."""

from collections.abc import Sequence

import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import MetaData, Text
from sqlalchemy.orm import Mapped, mapped_column

from vinc_kernel import Base, PlatformOwned
from vinc_kernel.database.versions import History
from vinc_kernel.errors import DatabaseError
from vinc_migrations.check import check
from vinc_migrations.write import write_revision

from .conftest import ACME, Ground


class Apart(PlatformOwned):
    """Tables of these tests, which no application of other tests must find in the shared metadata."""

    __abstract__ = True
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)


class Licence(Apart):
    __tablename__ = "billing_licence"
    name: Mapped[str] = mapped_column(Text)


@pytest.fixture
def billing(ground: Ground) -> History:
    return ground.written("billing", Licence)


def findings(ground: Ground, history: History, models: Sequence[type[Base]] = (Licence,)) -> list[str]:
    return check(ground.url(ground.roles.migrator), [history], {"billing": models}, ground.options)


def test_it_has_an_id_and_no_tenant() -> None:
    assert [column.name for column in Licence.__table__.columns] == ["id", "name"]
    assert [column.name for column in Licence.__table__.primary_key] == ["id"]


async def test_a_written_revision_protects_it(ground: Ground, billing: History) -> None:
    (file,) = billing.versions.glob("*.py")
    await ground.start()

    assert 'enable_row_level_security("billing_licence")' in file.read_text()
    assert findings(ground, billing) == []
    assert ground.rows("select polname from pg_policy") == [("vinc_platform",)]


def test_only_the_platform_reads_and_writes_it(ground: Ground, billing: History) -> None:
    add = "insert into billing_licence values (gen_random_uuid(), 'n')"
    with ground.connect(ground.roles.app) as connection:
        with connection.transaction():
            connection.execute("select set_config('vinc.tenant_id', %s, true)", (str(ACME),))
            with pytest.raises(InsufficientPrivilege), connection.transaction():
                connection.execute(add)
        with connection.transaction():
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(ground.roles.platform)))
            connection.execute(add)
            assert connection.execute("select name from billing_licence").fetchall() == [("n",)]
            connection.execute("update billing_licence set name = 'm'")

        assert connection.execute("select name from billing_licence").fetchall() == []


# What is done by hand, then what a start and `vinc db check` say of it.
BY_HAND = {
    "alter table billing_licence disable row level security": "billing_licence: row level security is not enabled",
    "alter table billing_licence no force row level security": "billing_licence: row level security is not forced",
    "drop policy vinc_platform on billing_licence": "billing_licence: the policy vinc_platform is missing",
    "create policy more on billing_licence to {0.app} using (true)": "billing_licence: the policy more is not expected",
    "alter policy vinc_platform on billing_licence to public": "the policy vinc_platform is not expected here",
}


@pytest.mark.parametrize("change", BY_HAND)
async def test_what_is_changed_by_hand_stops_production_and_is_found(
    ground: Ground, billing: History, change: str
) -> None:
    ground.do(change.format(ground.roles))

    assert any(BY_HAND[change] in line for line in findings(ground, billing))
    with pytest.raises(DatabaseError) as refused:
        await ground.start()
    assert BY_HAND[change] in str(refused.value)


CURE = 'make a revision that calls {}_row_level_security("billing_licence")'
UNPROTECT = "alter table billing_licence {0} row level security"


def test_a_table_that_lost_all_protection_differs_from_its_model(ground: Ground, billing: History) -> None:
    ground.do("drop policy vinc_platform on billing_licence")
    ground.do(UNPROTECT.format("no force"))
    ground.do(UNPROTECT.format("disable"))

    (found,) = findings(ground, billing)
    assert found == f"billing: billing_licence lacks row level security; {CURE.format('enable')}"


def test_a_model_that_is_the_platforms_no_more_gets_a_revision(ground: Ground, billing: History) -> None:
    apart = type("PlainApart", (Base,), {"__abstract__": True, "metadata": Apart.metadata})
    plain = type("Plain", (apart,), {"__table__": Licence.__table__})
    url = ground.url(ground.roles.migrator)
    found = findings(ground, billing, [plain])

    file = write_revision(url, billing, "Open", models=[plain], options=ground.options)
    ground.up(billing)

    what = "billing: billing_licence has row level security, its model not"
    assert found == [f"{what}; {CURE.format('disable')}"]
    assert 'disable_row_level_security("billing_licence")\n\n\ndef downgrade' in file.read_text()
    assert findings(ground, billing, [plain]) == []
