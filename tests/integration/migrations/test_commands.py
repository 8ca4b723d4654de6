"""`vinc db` and the three commands of Alembic's own that work here."""

import shutil
from collections.abc import Callable
from pathlib import Path

import alembic.config
import pytest
from sqlalchemy.engine import make_url

from vinc_kernel.cli import main
from vinc_kernel.database.versions import KERNEL_REVISIONS, History, revisions

from .conftest import Ground

ROOT = Path(__file__).parents[3]
Run = Callable[..., tuple[int, str, str]]
HISTORY = History("tenants", ROOT / "plugins" / "tenants" / "vinc_tenants" / "migrations")
FIRST, *_, HEAD = revisions(HISTORY)
KERNEL = ["kernel", KERNEL_REVISIONS[-1], KERNEL_REVISIONS[-1], "newest"]


@pytest.fixture
def settings(ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The environment of this ground's installation, whose plugins.toml is returned."""
    manifest = tmp_path / "plugins.toml"
    manifest.write_text("[plugins.health]\n[plugins.tenants]\n")
    for name, value in ground.environ(manifest).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT)
    return manifest


@pytest.fixture
def vinc(settings: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command: its exit code, and what it says on stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["db", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def stock(settings: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command of Alembic's."""

    def run(*words: str) -> tuple[int, str, str]:
        try:
            alembic.config.main(argv=list(words), prog="alembic")
        except SystemExit as exit_:
            said = capsys.readouterr()
            return int(exit_.code or 0), said.out, said.err
        said = capsys.readouterr()
        return 0, said.out, said.err

    return run


def test_upgrade_current_history_check_and_downgrade(vinc: Run) -> None:
    def current() -> list[list[str]]:
        return [line.split() for line in vinc("current")[1].splitlines()[1:]]

    assert vinc("init") == (0, vinc("init")[1], "")
    assert current() == [["kernel", "base", KERNEL_REVISIONS[-1], "behind"], ["tenants", "base", HEAD, "behind"]]
    assert vinc("check")[:2] == (
        3,
        f"kernel: the database is at base, not at {KERNEL_REVISIONS[-1]}; run vinc db upgrade\n1 findings\n",
    )
    code, out, err = vinc("upgrade")
    assert (code, err) == (0, "")
    told = out.splitlines()
    assert [line.split()[:4] for line in told[:-1]] == [
        [f"{plugin}:", start, "->", end]
        for plugin, line in (("kernel", KERNEL_REVISIONS), ("tenants", revisions(HISTORY)))
        for start, end in zip(["base", *line], line, strict=False)
    ]
    assert told[-1] == "2 histories are up to date"
    assert vinc("upgrade") == (0, "2 histories are up to date\n", "")
    assert current() == [KERNEL, ["tenants", HEAD, HEAD, "newest"]]
    assert vinc("history")[1].splitlines()[1].split() == ["kernel", KERNEL_REVISIONS[0]]
    assert vinc("history", "--plugin", "tenants")[1].splitlines()[-1].split() == ["tenants", HEAD]
    assert vinc("check") == (0, "database, histories and models are equal\n", "")
    assert vinc("downgrade", "--plugin", "tenants", "--to", "base")[0] == 0
    assert vinc("upgrade", "--plugin", "tenants", "--to", HEAD[:4])[0] == 0


def test_init_prints_what_it_may_not_run_and_exits_with_one(
    vinc: Run, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VINC_DATABASE_ROLE_PREFIX", f"{ground.roles.prefix}_other")

    code, out, err = vinc("init", "--admin-url", ground.url(ground.roles.app))

    assert (code, err) == (1, "")
    first, *rest = out.splitlines()
    assert first == f"-- {ground.roles.app} may not do the following; run it in psql as one who may:"
    assert rest[0] == f'create role "{ground.roles.prefix}_other_owner";'
    assert all(line.endswith(";") for line in rest)


def test_the_address_of_init_may_have_parameters_of_its_own(vinc: Run, ground: Ground) -> None:
    address = make_url(ground.url()).update_query_dict({"connect_timeout": "10", "application_name": "x"})

    assert vinc("init", "--admin-url", address.render_as_string(hide_password=False))[0] == 0


def test_check_says_how_many_findings_there_are_and_exits_with_three(vinc: Run, ground: Ground) -> None:
    vinc("upgrade")
    ground.do("alter table tenants_tenant add column more text")

    assert vinc("check") == (
        3,
        "tenants: models and database differ: remove_column tenants_tenant.more; make a revision\n1 findings\n",
        "",
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["upgrade", "--plugin", "nobody"],
            "nobody: there is no enabled plugin of that name; there are: health, tenants",
        ),
        (["upgrade", "--to", "x"], "--to needs --plugin"),
        (["upgrade", "--plugin", "tenants", "--to", "x"], "tenants: no revision begins with 'x'; see vinc db history"),
        (["revision", "--plugin", "tenants"], "tenants: the database is at base, not at"),
        (["downgrade", "--plugin", "kernel", "--to", "base"], "kernel: its tables cannot be taken back"),
    ],
)
def test_what_cannot_be_done_is_one_line(vinc: Run, words: list[str], complaint: str) -> None:
    code, out, err = vinc(*words)

    assert code == 1
    assert all(line.startswith("kernel: ") for line in out.splitlines())  # what comes first is done
    assert err.startswith(f"vinc: {complaint}")
    assert len(err.splitlines()) == 1


def test_nothing_to_compare_is_no_revision(vinc: Run) -> None:
    vinc("upgrade")
    assert vinc("check")[0] == 0  # else a revision would be written into this repository

    assert "tenants: models and database are equal" in vinc("revision", "--plugin", "tenants", "-m", "More")[2]


def test_a_disabled_plugin_keeps_its_tables_and_its_place(vinc: Run, settings: Path) -> None:
    vinc("upgrade")
    settings.write_text("[plugins.health]\n[plugins.tenants]\nenabled = false\n")

    assert vinc("upgrade") == (0, "1 history is up to date\n", "")
    assert vinc("check")[0] == 0
    assert [line.split() for line in vinc("current")[1].splitlines()[1:]] == [KERNEL]
    settings.write_text("[plugins.health]\n[plugins.tenants]\n")
    assert vinc("current")[1].splitlines()[2].split() == ["tenants", HEAD, HEAD, "newest"]


DISTRIBUTION = {
    "acme_cards-1.0.dist-info/METADATA": "Name: acme-cards\nVersion: 1.0\nRequires-Dist: vinc-kernel\n",
    "acme_cards-1.0.dist-info/entry_points.txt": "[vinc.plugins]\ncards = acme_cards.plugin\n",
    "acme_cards/__init__.py": "",
    "acme_cards/plugin.py": "raise SystemExit('migrations import no plugin')\n",
    "acme_cards/migrations/versions/one.py": (
        "import sqlalchemy as sa\nfrom alembic import op\nrevision = 'one'\ndown_revision = None\n"
        "def upgrade():\n    op.create_table('cards_card', sa.Column('n', sa.Integer))\n"
        "def downgrade():\n    op.drop_table('cards_card')\n"
    ),
}


def test_a_distribution_is_installed_migrated_uninstalled_and_installed_again(
    vinc: Run, settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ground: Ground
) -> None:
    site = tmp_path / "site"
    for name, text in DISTRIBUTION.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    monkeypatch.syspath_prepend(str(site))
    settings.write_text("[plugins.cards]\n[plugins.tenants]\n")
    assert "cards: base -> one" in vinc("upgrade")[1]
    ground.do("insert into cards_card values (1)")

    shutil.move(site, tmp_path / "away")
    settings.write_text("[plugins.tenants]\n")
    assert vinc("upgrade") == (0, "2 histories are up to date\n", "")
    assert vinc("check")[0] == 0

    shutil.move(tmp_path / "away", site)
    settings.write_text("[plugins.cards]\n[plugins.tenants]\n")
    assert vinc("current")[1].splitlines()[2].split() == ["cards", "one", "one", "newest"]
    assert ground.rows("select n from cards_card") == [(1,)]


@pytest.mark.parametrize("target", ["head", "heads"])
def test_alembic_upgrades_every_plugin_to_its_newest_revision(stock: Run, target: str) -> None:
    code, out, _ = stock("upgrade", target)
    assert code == 0
    assert out.startswith(f"kernel: base -> {KERNEL_REVISIONS[0]} The kernel's own tables")
    assert f"tenants: base -> {FIRST} The table of tenants.\n" in out
    assert stock("upgrade", target)[:2] == (0, "")
    assert stock("current")[:2] == (0, f"kernel: {KERNEL_REVISIONS[-1]} (head)\ntenants: {HEAD} (head)\n")


REFUSED = {
    "upgrade +1": "vinc db upgrade --plugin NAME --to REVISION",
    "upgrade head --sql": "vinc db upgrade --plugin NAME --to REVISION",
    f"upgrade {FIRST}": "vinc db upgrade --plugin NAME --to REVISION",
    "downgrade -1": "vinc db downgrade --plugin NAME --to REVISION",
    "downgrade base": "vinc db downgrade --plugin NAME --to REVISION",
    "check": "vinc db check",
    "stamp head": "vinc db --help",
    "revision -m more": "vinc db revision --plugin NAME -m MESSAGE",
    "revision --autogenerate -m more": "vinc db revision --plugin NAME -m MESSAGE",
    "history": "vinc db history",
}


@pytest.mark.parametrize("command", REFUSED)
def test_alembic_refuses_everything_else_with_the_command_to_use(stock: Run, ground: Ground, command: str) -> None:
    code, out, err = stock(*command.split())

    assert code != 0
    assert f"use `{REFUSED[command]}`" in out + err
    assert ground.rows("select count(*) from pg_class where relname like 'vinc\\_%' and relkind = 'r'") == [(0,)]
    assert not (ROOT / "migrations" / "versions").exists()


BARE = (
    "revision = 'one'\ndown_revision = None\n"
    "def upgrade():\n    op.execute('create table cards_card (tenant_id uuid not null)')\n"
)
HEADER = "import sqlalchemy as sa\nfrom alembic import op\n"


@pytest.fixture
def cards(settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only revision of an optional plugin, installed beside the plugin tenants."""
    site = tmp_path / "site"
    for name, text in DISTRIBUTION.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    monkeypatch.syspath_prepend(str(site))
    settings.write_text("[plugins.cards]\nrequired = false\n[plugins.tenants]\n")
    return site / "acme_cards/migrations/versions/one.py"


@pytest.mark.parametrize("words", ["upgrade", "upgrade --plugin cards", "upgrade --plugin cards --to one", "head"])
def test_an_open_table_is_refused_on_every_path(vinc: Run, stock: Run, cards: Path, ground: Ground, words: str) -> None:
    cards.write_text(HEADER + BARE)

    code, out, err = stock("upgrade", "head") if words == "head" else vinc(*words.split())

    assert code != 0
    assert "cards_card: row level security is not enabled" in out + err
    assert ground.rows("select to_regclass('cards_card')") == [(None,)]


BROKEN = {
    "syntax": "def upgrade(:\n",
    "latin-1": "# caf\xe9\n",
    "no identifier": "",
    "long": f"revision = '{'x' * 33}'\ndown_revision = None\n",
    "nul": "revision = 'one'\ndown_revision = None\n\0",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_history_is_one_line_in_every_command(vinc: Run, cards: Path, fault: str) -> None:
    head = "" if fault in {"no identifier", "long"} else "revision = 'one'\ndown_revision = None\n"
    cards.write_text(head + BROKEN[fault], "latin-1")

    code, out, err = vinc("upgrade")
    assert (code, err.count("\n")) == (1, 1)
    assert "cards: " in err
    assert f"-> {HEAD} " in out
    for words in ("check", "current", "history", "revision --plugin cards --no-autogenerate"):
        _, out, err = vinc(*words.split())
        assert "tenants" in out or "cards: " in out + err
    assert vinc(*"downgrade --plugin cards --to base".split())[0] in {0, 1}
