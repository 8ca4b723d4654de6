"""The names of the five database roles. Roles are shared by a whole cluster, hence the prefix."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the five roles; all begin with VINC_DATABASE_ROLE_PREFIX."""

    prefix: str = "vinc"

    @property
    def owner(self) -> str:
        """Owns the tables; nobody logs in as it."""
        return f"{self.prefix}_owner"

    @property
    def migrator(self) -> str:
        """Runs revisions, as a member of the owner; row level security does not bind it."""
        return f"{self.prefix}_migrator"

    @property
    def app(self) -> str:
        """What the application connects as: rows of the scope's tenant, and nothing else."""
        return f"{self.prefix}_app"

    @property
    def platform(self) -> str:
        """Rows of all tenants; the application enters it by `set local role`, and never by inheritance."""
        return f"{self.prefix}_platform"

    @property
    def backup(self) -> str:
        """Reads the rows of all tenants and writes none: for pg_dump."""
        return f"{self.prefix}_backup"

    @property
    def names(self) -> dict[str, str]:
        return {
            "owner": self.owner,
            "migrator": self.migrator,
            "app": self.app,
            "platform": self.platform,
            "backup": self.backup,
        }

    def sql_names(self) -> dict[str, sql.Composable]:
        """What SQL is composed of: `{owner}` is the identifier, `{owner_}` the same as a text."""
        made: dict[str, sql.Composable] = {}
        for key, name in self.names.items():
            made |= {key: sql.Identifier(name), f"{key}_": sql.Literal(name)}
        return made
