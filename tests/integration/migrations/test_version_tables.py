"""A role that may not read where the plugins stand is told of, with its cure, in one line."""

import pytest
from psycopg import AsyncConnection

from vinc_kernel.database.versions import read_states, revisions
from vinc_kernel.errors import DatabaseError
from vinc_testing.servers import conninfo

from .conftest import Ground


async def test_a_role_that_may_not_read_the_version_tables_is_named_with_the_cure(ground: Ground) -> None:
    history = ground.plugin("agents", "pass")
    ground.up(history)
    ground.do(f"revoke all on vinc_version_agents from {ground.roles.app}, public")
    async with await AsyncConnection.connect(conninfo(ground.url(ground.roles.app)), autocommit=True) as connection:
        with pytest.raises(DatabaseError) as refused:
            await read_states(connection, {"agents": revisions(history)})

    assert str(refused.value) == (
        f"the role {ground.roles.app} may not read the version tables "
        "(permission denied for table vinc_version_agents); "
        "correct VINC_DATABASE_URL, which takes the role for the application, or run: vinc db init"
    )
