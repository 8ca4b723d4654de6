"""Settings: where they come from, what is refused, and that nothing secret is ever shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError, field_validator

from vinc_kernel import Settings
from vinc_kernel.app import create_app
from vinc_kernel.errors import SettingsError
from vinc_kernel.settings import (
    FOR_DEVELOPMENT,
    SUBJECTS,
    JwtSettings,
    KernelSettings,
    ServiceSettings,
    Sources,
    env_names,
    read_one,
    read_settings,
    unknown_names,
)

ROOT = Path(__file__).parents[2]
SECRET = "canary-hunter2"
PUBLIC_NAMES = {
    "VINC_ENV", "VINC_DEBUG", "VINC_API_V1_PREFIX", "VINC_TENANT_HEADER", "VINC_DOCS", "VINC_SECRET_KEY",
    "VINC_CORS_ORIGINS", "VINC_CORS_CREDENTIALS", "VINC_TRUSTED_PROXIES", "VINC_MAX_BODY_SIZE", "VINC_BODY_TIMEOUT",
    "VINC_JWT_ISSUERS", "VINC_JWT_AUDIENCE", "VINC_JWT_TEST_SECRET", "VINC_JWT_REFRESH_INTERVAL",
    "VINC_DATABASE_URL", "VINC_DATABASE_DIRECT_URL", "VINC_DATABASE_MIGRATION_URL",
    "VINC_DATABASE_ROLE_PREFIX", "VINC_DATABASE_START_TIMEOUT",
    "VINC_DB_POOL_SIZE", "VINC_DB_MAX_OVERFLOW", "VINC_DB_POOL_TIMEOUT", "VINC_DB_ANSWER_TIMEOUT", "VINC_DB_ECHO",
    "VINC_REDIS_URL", "VINC_REDIS_MAX_CONNECTIONS", "VINC_REDIS_SOCKET_TIMEOUT",
    "VINC_PLUGINS_FILE", "VINC_PLUGIN_LOAD_TIMEOUT", "VINC_LOG_LEVEL", "VINC_LOG_FORMAT",
}  # fmt: skip


def given(**environ: str) -> KernelSettings:
    return read_settings(Sources(environ))[0]


def test_the_public_names_are_exactly_these() -> None:
    assert {name for cls in SUBJECTS.values() for names in env_names(cls).values() for name in names} == PUBLIC_NAMES


def test_the_example_of_a_dotenv_file_is_complete_and_says_the_defaults() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    named = dict(re.findall(r"^#? ?(VINC_[A-Z0-9_]+)=(.*)$", text, flags=re.MULTILINE))
    defaults = {origin.name: origin.shown for origin in read_settings(Sources({}))[1]}

    assert named.keys() == PUBLIC_NAMES
    commented = set(re.findall(r"^# ?(VINC_[A-Z0-9_]+)=", text, flags=re.MULTILINE))
    told = {name: named[name] for name in commented if "URL" not in name and name != "VINC_PLUGINS_FILE"}
    assert told == {name: re.sub(r"\(none\)|\(unset\)", "", defaults[name]) for name in told}


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        given().database.pool_size = 3  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize("text", ["https://a.example, https://b.example", '["https://a.example", "https://b.example"]'])
def test_a_list_is_comma_separated_or_json(text: str) -> None:
    assert given(VINC_CORS_ORIGINS=text).cors.origins == ["https://a.example", "https://b.example"]


def test_the_environment_beats_dotenv_beats_the_default(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("VINC_DB_POOL_SIZE=3\nVINC_DB_MAX_OVERFLOW=4\n")
    settings, origins = read_settings(Sources.read({"VINC_DB_POOL_SIZE": "7"}, dotenv))
    told = {origin.name: origin.source for origin in origins}

    assert (settings.database.pool_size, settings.database.max_overflow) == (7, 4)
    assert told["VINC_DB_POOL_SIZE"] == "environment"
    assert told["VINC_DB_MAX_OVERFLOW"] == ".env"
    assert told["VINC_DB_POOL_TIMEOUT"] == "default"


def test_every_problem_is_told_at_once_with_name_source_and_rule() -> None:
    with pytest.raises(SettingsError) as refused:
        given(VINC_DB_POOL_SIZE="many", VINC_ENV="x", VINC_REDIS_URL="localhost", VINC_API_V1_PREFIX="api")

    assert [line.partition(":")[0] for line in refused.value.lines] == [
        "VINC_ENV (environment)",
        "VINC_API_V1_PREFIX (environment)",
        "VINC_DB_POOL_SIZE (environment)",
        "VINC_REDIS_URL (environment)",
    ]


SPELLINGS = ["production", "Prod", "PROD", "development", " dev", "staging"]
ORIGINS = ["app.example", "https://app.example/", "https://app.example/a", "https://", "a b"]
PROXIES = ["*", "proxy.example", "10.0.0.0/99", "10.0.0.7/8", "0.0.0.0/0", "::/0"]
DATABASES = [f"postgresql://vinc:{SECRET}/db", f"postgresql://u:p@x:{SECRET}@h", f"mysql://{SECRET}"]
ISSUERS = {
    "#": "write it as https://sso.example/realms/vinc",
    "https://sso.example?x=1": "write it as https://sso.example/realms/vinc",
    "https://user:canary-hunter2@sso.example": "write it as https://sso.example/realms/vinc",
    "https://:canary-hunter2@sso.example": "write it as https://sso.example/realms/vinc",
    '[{"issuer": "https://sso.example", "algorithms": ["HS256"]}]': "Input should be 'RS256'",
    '[{"issuer": "https://sso.example", "algorithms": ["none"]}]': "Input should be 'RS256'",
    '[{"issuer": "https://sso.example", "algorithms": []}]': "List should have at least 1 item",
    '[{"issuer": "https://sso.example", "audience": "account"}]': "choose a name of your own",
    '[{"issuer": "https://sso.example", "audiense": "x"}]': "0: audiense: Extra inputs are not permitted",
    '[{"audience": "x"}]': "0: issuer: Field required",
}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        *(("VINC_ENV", spelling, "") for spelling in SPELLINGS),
        *(("VINC_CORS_ORIGINS", f"https://good.example:8443,{one}", "1: write each as") for one in ORIGINS),
        *(("VINC_TRUSTED_PROXIES", proxies, "write each as") for proxies in PROXIES),
        *(("VINC_REDIS_URL", f"redis://{rest}", "write it as") for rest in (f"u:x@h:{SECRET}/0", f":{SECRET}")),
        ("VINC_REDIS_URL", f"mysql://{SECRET}", "write it as"),
        *(("VINC_DATABASE_URL", address, "write it as") for address in DATABASES),
        *(("VINC_DATABASE_MIGRATION_URL", address, "write it as") for address in DATABASES),
        *(("VINC_JWT_ISSUERS", issuers, told) for issuers, told in ISSUERS.items()),
        ("VINC_JWT_AUDIENCE", "account", "choose a name of your own"),
    ],
)
def test_a_wrong_value_stops_the_start_with_the_name_and_the_rule(name: str, value: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        given(**{name: value})

    assert str(refused.value).startswith(f"{name} (environment): ")
    assert told in str(refused.value)
    assert SECRET not in str(refused.value)


def test_any_origin_with_credentials_is_refused() -> None:
    with pytest.raises(SettingsError, match="VINC_CORS_ORIGINS"):
        given(VINC_CORS_ORIGINS="*", VINC_CORS_CREDENTIALS="1")


@pytest.mark.parametrize("name", ["VINC_DATABASE_URL", "VINC_DATABASE_MIGRATION_URL", "VINC_REDIS_URL"])
@pytest.mark.parametrize("other", ["VINC_DB_POOL_SIZE", "VINC_ENV"])
def test_a_wrong_setting_shows_no_secret_of_another(name: str, other: str) -> None:
    good = {"VINC_REDIS_URL": f"redis://:{SECRET}@h/0"}.get(name, f"postgresql://u:{SECRET}@h/d")
    with pytest.raises(SettingsError) as refused:
        given(**{name: good, other: SECRET})

    assert SECRET not in str(refused.value) + repr(refused.value)
    assert refused.value.__cause__ is None


class Keys(Settings):
    key: SecretStr | None = None

    @field_validator("key")
    @classmethod
    def refuse(cls, value: SecretStr) -> SecretStr:
        message = f"{value.get_secret_value()[:6]} is no key"
        raise ValueError(message)


def test_a_plugins_own_validator_cannot_tell_a_secret() -> None:
    with pytest.raises(SettingsError) as refused:
        read_one(Keys, Sources({"VINC_A__KEY": SECRET}), prefix="VINC_A__")

    assert str(refused.value) == "VINC_A__KEY (environment): is not valid"


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_a_value_in_dotenv_is_literal(tmp_path: Path, quote: str) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"VINC_JWT_AUDIENCE={quote}a${{HOME}}b$HOME#${{VINC_ENV}}{quote} # ours\nexport VINC_ENV=test\n")

    assert Sources.read({}, dotenv).dotenv == {"VINC_JWT_AUDIENCE": "a${HOME}b$HOME#${VINC_ENV}", "VINC_ENV": "test"}


LITERAL = "a${HOME}b$HOME"
READERS = {
    "vinc": "from vinc_kernel.cli import from_environment; settings = from_environment()[0]",
    "uvicorn": "from vinc_kernel.main import app; settings = app.runtime.settings",
    "alembic": "from vinc_migrations import env; settings = env.settings()",
    "pytest": "from vinc_testing.running import make_application; settings = make_application({}, {}).runtime.settings",
}


@pytest.mark.parametrize("code", READERS.values(), ids=READERS)
def test_whoever_reads_dotenv_reads_the_same(tmp_path: Path, code: str) -> None:
    (tmp_path / ".env").write_text(f"VINC_ENV=dev\nVINC_JWT_AUDIENCE={LITERAL}\n")
    (tmp_path / "plugins.toml").write_text("")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VINC_")}
    command = [sys.executable, "-c", f"{code}; print(settings.jwt.audience)"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.splitlines()[-1:] == [LITERAL], done.stderr


def test_a_mark_of_the_byte_order_belongs_to_no_name(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"\xef\xbb\xbfVINC_ENV=dev\r\n")

    assert Sources.read({}, dotenv).dotenv == {"VINC_ENV": "dev"}


def test_of_two_sources_an_empty_value_counts_for_nothing() -> None:
    sources = Sources({"VINC_ENV": "", "VINC_DEBUG": "1"}, {"VINC_ENV": "dev", "VINC_DEBUG": "0"})

    assert sources.merged() == {"VINC_ENV": "dev", "VINC_DEBUG": "1"}


def test_no_dotenv_is_an_empty_one(tmp_path: Path) -> None:
    assert Sources.read({}, tmp_path / ".env").dotenv == {}


def test_a_line_of_dotenv_that_sets_nothing_is_told_without_its_text(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"# the service\n\n \n{SECRET}\nVINC_ENV=dev\n\nVINC_SECRET_KEY='{SECRET}\n=x\n")
    with pytest.raises(SettingsError) as refused:
        Sources.read({}, dotenv)

    assert [line.partition("; ")[0] for line in refused.value.lines] == [
        f"{dotenv}: line {number}: sets nothing" for number in (4, 7, 8)
    ]
    assert SECRET not in str(refused.value)


def test_a_dotenv_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    latin = tmp_path / "latin"
    latin.write_bytes("VINC_SECRET_KEY=ü".encode("latin-1"))
    for path in (tmp_path, latin):
        with pytest.raises(SettingsError, match="cannot be read: "):
            Sources.read({}, path)


def test_a_secret_is_masked_wherever_settings_are_shown() -> None:
    environ = {"VINC_DATABASE_URL": f"postgresql+psycopg://u:{SECRET}@h/d", "VINC_SECRET_KEY": f"{SECRET}1,{SECRET}2"}
    settings, origins = read_settings(Sources(environ))

    assert SECRET not in repr(settings) + str(settings) + repr(origins)
    assert settings.service.signing_keys == [f"{SECRET}1", f"{SECRET}2"]
    assert {one.name: one.shown for one in origins}["VINC_SECRET_KEY"] == "**********,**********"
    assert settings.database.url is not None
    assert SECRET in settings.database.url.get_secret_value()


def test_an_unknown_name_warns_with_the_nearest_one() -> None:
    lines = unknown_names(Sources({"VINC_DB_POOLSIZE": "1", "VINC_A__COLOR": "red", "OTHER": "1"}), {"a": Colours})

    assert lines == [
        "VINC_A__COLOR is not a setting; did you mean VINC_A__COLOUR?",
        "VINC_DB_POOLSIZE is not a setting; did you mean VINC_DB_POOL_SIZE?",
    ]


class Colours(Settings):
    colour: str = "blue"
    shades: list[int] = []
    key: SecretStr | None = None


def test_a_plugins_settings_come_from_its_own_names_and_its_table() -> None:
    table = {"colour": "red", "shades": [1]}
    settings, origins = read_one(
        Colours,
        Sources({"VINC_A__SHADES": "2,3"}),
        prefix="VINC_A__",
        table=table,
        table_name="plugins.toml [plugins.a]",
    )

    assert (settings.colour, settings.shades) == ("red", [2, 3])
    assert [(one.name, one.source) for one in origins] == [
        ("VINC_A__COLOUR", "plugins.toml [plugins.a]"),
        ("VINC_A__SHADES", "environment"),
        ("VINC_A__KEY", "default"),
    ]


def test_settings_made_by_hand_read_nothing_but_what_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOUR", "from outside")

    assert Colours().colour == "blue"
    assert Colours(colour="green").colour == "green"


@pytest.mark.parametrize("keys", ["", "short", FOR_DEVELOPMENT, f"{'s' * 32},short", f"{'s' * 32},{FOR_DEVELOPMENT}"])
def test_production_signs_with_no_key_that_others_know_or_guess(keys: str) -> None:
    with pytest.raises(SettingsError, match=r"^VINC_SECRET_KEY: production needs one") as refused:
        create_app(given(VINC_SECRET_KEY=keys), plugins=[])

    assert not keys or keys not in str(refused.value)


def test_what_is_for_tests_is_refused_where_settings_are_made_by_hand_too() -> None:
    with pytest.raises(SettingsError, match="VINC_JWT_TEST_SECRET"):
        KernelSettings(
            service=ServiceSettings(env="prod", secret_keys=[SecretStr("s" * 32)]),
            jwt=JwtSettings(test_secret=SecretStr("t" * 32)),
        )


def test_production_starts_with_a_key_of_its_own_and_with_an_older_one_beside_it() -> None:
    assert create_app(given(VINC_SECRET_KEY="s" * 32), plugins=[])
    assert create_app(given(VINC_SECRET_KEY=f"{'s' * 32}, {'t' * 40}"), plugins=[])


def test_elsewhere_there_is_a_key_for_everybody() -> None:
    assert (
        given(VINC_ENV="dev").service.signing_keys == given(VINC_ENV="test").service.signing_keys == [FOR_DEVELOPMENT]
    )


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"VINC_JWT_TEST_SECRET": "s" * 40}, "VINC_JWT_TEST_SECRET"),
        ({"VINC_JWT_ISSUERS": "http://sso.example/realms/vinc"}, "VINC_JWT_ISSUERS"),
        ({"VINC_DEBUG": "true"}, "VINC_DEBUG"),
    ],
)
def test_what_is_for_tests_stops_production(environ: dict[str, str], name: str) -> None:
    assert given(VINC_ENV="dev", **environ)
    for production in ({}, {"VINC_ENV": "prod"}):
        with pytest.raises(SettingsError, match=rf"^{name}: ") as refused:
            given(**environ, **production)
        assert "s" * 40 not in str(refused.value)


@pytest.mark.parametrize(
    "issuer", ["https://sso.example", "http://127.0.0.1:8080/realms/vinc", "http://localhost:8080"]
)
def test_production_takes_keys_over_a_line_that_nobody_comes_between(issuer: str) -> None:
    assert [one.issuer for one in given(VINC_JWT_ISSUERS=issuer).jwt.issuers] == [issuer]
