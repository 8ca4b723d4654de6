"""`vinc plugins purge` takes the tables of one plugin away, after it has shown them, and nobody else's (M5)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from vinc_kernel.cli import main
from vinc_kernel.database.versions import History
from vinc_kernel.errors import DatabaseError
from vinc_migrations.purge import purge

from .conftest import Ground, tenant_table

KERNELS = ["vinc_change", "vinc_table", "vinc_version_kernel"]
Run = Callable[..., tuple[int, str, str]]
SHOWN = """table          rows
users_extra_x  4
users_user     4
users: 2 tables would go, and nothing brings them back; to do it, add --yes
"""


def table(name: str, *columns: str) -> tuple[str, str]:
    return tenant_table(name, *columns), f"op.drop_table({name!r})"


def tables(ground: Ground) -> list[str]:
    query = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm')"
    return sorted(name for (name,) in ground.rows(query))


@pytest.fixture
def histories(ground: Ground) -> dict[str, History]:
    """Plugins whose names begin alike, with rows of two tenants each."""
    made = {
        "user": ground.plugin("user", table("user_card"), table("user_note")),
        "users": ground.plugin("users", table("users_extra_x"), table("users_user")),
    }
    ground.up(*made.values())
    for name in ("user_card", "users_extra_x", "users_user"):
        ground.fill(name)
    return made


@pytest.fixture
def vinc(ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `vinc plugins purge` where `user`, `users` and `orders`, which needs `user`, are installed."""
    site = tmp_path / "site"
    for name, needs in {"user": "", "users": "", "orders": "Requires-Dist: tiny-user\n"}.items():
        info = site / f"tiny_{name}-1.0.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: tiny-{name}\nVersion: 1.0\nRequires-Dist: vinc-kernel\n{needs}"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(f"[vinc.plugins]\n{name} = tiny_{name}.plugin\n")
    monkeypatch.syspath_prepend(str(site))
    manifest = tmp_path / "plugins.toml"
    for name, value in ground.environ(manifest).items():
        monkeypatch.setenv(name, value)

    def run(*words: str, enabled: str = "") -> tuple[int, str, str]:
        manifest.write_text("".join(f"[plugins.{name}]\n" for name in enabled.split()))
        code = main(["plugins", "purge", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize("rights", ["bypassrls", "nobypassrls"])
def test_what_would_go_is_shown_with_the_rows_of_every_tenant_and_stays(
    ground: Ground, histories: dict[str, History], vinc: Run, rights: str
) -> None:
    before = tables(ground)
    ground.do(f"alter role {ground.roles.migrator} {rights}")
    try:
        told = vinc("users")
    finally:
        ground.do(f"alter role {ground.roles.migrator} bypassrls")

    assert told == (1, SHOWN, "")
    assert tables(ground) == before
    forced = "select count(*) from pg_class where relforcerowsecurity"
    assert ground.rows(forced) == [(4,)]


@pytest.mark.parametrize(("name", "other"), [("user", "users"), ("users", "user")])
def test_the_tables_go_by_their_recorded_owner_and_never_by_their_names(
    ground: Ground, histories: dict[str, History], vinc: Run, name: str, other: str
) -> None:
    code, out, err = vinc(name, "--yes", enabled=other)

    assert (code, err) == (0, "")
    assert out.endswith(f"{name}: 2 tables are gone\n")
    assert not [one for one in tables(ground) if one.startswith((f"{name}_", f"vinc_version_{name}_"))]
    assert ground.rows(f"select distinct plugin from vinc_table where plugin <> '{other}'") == []
    assert ground.current(*histories.values()) == {name: None, other: f"{other}2"}


def test_after_a_purge_the_plugin_begins_anew(ground: Ground, histories: dict[str, History], vinc: Run) -> None:
    vinc("user", "--yes")

    ground.up(histories["user"])

    assert ground.rows("select count(*) from user_card") == [(0,)]
    assert ground.current(histories["user"]) == {"user": "user2"}


@pytest.mark.parametrize(
    ("name", "enabled", "complaint"),
    [
        ("users", "users", "users may run and use its tables: vinc plugins disable users"),
        ("user", "user orders", "user, orders may run and use its tables: vinc plugins disable orders"),
        ("user", "orders", "orders may run and use its tables: vinc plugins disable orders"),
        ("x-y", "", "'x-y' is no plugin's name; it is of the form [a-z][a-z0-9]*, and not reserved"),
        ("kernel", "", "'kernel' is no plugin's name; it is of the form [a-z][a-z0-9]*, and not reserved"),
    ],
)
def test_a_plugin_that_runs_or_is_needed_by_one_that_does_keeps_its_tables(
    ground: Ground, histories: dict[str, History], vinc: Run, name: str, enabled: str, complaint: str
) -> None:
    before = tables(ground)

    told = vinc(name, "--yes", enabled=enabled)

    assert told == (1, "", f"vinc: {complaint}\n")
    assert tables(ground) == before


def test_a_plugin_that_another_one_with_tables_needs_keeps_its_own(
    ground: Ground, histories: dict[str, History], vinc: Run
) -> None:
    ground.up(ground.plugin("orders", table("orders_order")))
    before = tables(ground)

    assert vinc("user", "--yes") == (
        1,
        "",
        "vinc: orders needs user and has tables here: vinc plugins purge orders comes first\n",
    )
    assert tables(ground) == before
    assert vinc("orders", "--yes")[0] == 0
    assert vinc("user", "--yes")[0] == 0
    assert tables(ground) == [
        "users_extra_x",
        "users_user",
        "vinc_change",
        "vinc_table",
        "vinc_version_kernel",
        "vinc_version_users",
    ]


def test_what_somebody_has_made_upon_a_table_keeps_all_of_them(ground: Ground, histories: dict[str, History]) -> None:
    ground.do("create view report with (security_invoker) as select * from user_note")
    before = tables(ground)

    with pytest.raises(DatabaseError) as refused:
        purge(ground.url(ground.roles.migrator), "user", ground.options, needed_by=[], sure=True)

    assert str(refused.value) == "user: another plugin's table or view is made upon these; nothing was taken away"
    assert tables(ground) == before


def test_views_and_tables_that_point_at_each_other_go_together(ground: Ground) -> None:
    part = (
        'sa.Column("of", sa.Uuid())',
        'sa.ForeignKeyConstraint(["tenant_id", "of"], ["a_whole.tenant_id", "a_whole.id"], name="f")',
    )
    view = 'op.execute("create view a_view with (security_invoker = true) as select * from a_whole")'
    ground.up(ground.plugin("a", table("a_whole"), table("a_part", *part), (view, "pass")))

    gone = purge(ground.url(ground.roles.migrator), "a", ground.options, needed_by=[], sure=True)

    assert gone == {"a_part": 0, "a_whole": 0}
    assert tables(ground) == KERNELS
