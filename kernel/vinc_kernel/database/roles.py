"""The names of the five database roles. Roles are shared by a whole cluster, hence the prefix."""

from __future__ import annotations

from psycopg import sql


class Roles:
    """The names of the five roles; all begin with VINC_DATABASE_ROLE_PREFIX."""

    def __init__(self, prefix: str = "vinc") -> None:
        self.prefix = prefix
        self.owner = f"{prefix}_owner"  # owns the tables; nobody logs in as it
        self.migrator = f"{prefix}_migrator"  # runs revisions as a member of the owner, past row level security
        self.app = f"{prefix}_app"  # what the application connects as: rows of the scope's tenant, and nothing else
        self.platform = f"{prefix}_platform"  # rows of all tenants; entered by `set local role`, never by inheritance
        self.backup = f"{prefix}_backup"  # reads the rows of all tenants and writes none: for pg_dump

    @property
    def names(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in ("owner", "migrator", "app", "platform", "backup")}

    def sql_names(self) -> dict[str, sql.Composable]:
        """What SQL is composed of: `{owner}` is the identifier, `{owner_}` the same as a text."""
        made: dict[str, sql.Composable] = {}
        for key, name in self.names.items():
            made |= {key: sql.Identifier(name), f"{key}_": sql.Literal(name)}
        return made
