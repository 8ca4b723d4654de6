"""Settings: typed, frozen, and read exactly once.

The environment beats `.env`, that beats `plugins.toml` (which has the settings of plugins), that beats the default.
Every name is public. An error names setting, source and rule, and never repeats a value: it may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

from dotenv.parser import parse_stream
from pydantic import (
    Field,
    SecretBytes,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from .errors import SettingsError
from .setting_types import (
    Audience,
    Issuers,
    PathPrefix,
    PostgresUrl,
    ProxyAddress,
    RedisUrl,
    Seconds,
    WebOrigin,
    is_tls_or_loopback,
)

DOTENV = Path(".env")
FOR_DEVELOPMENT = "for development only, and known to everybody"
SHORTEST_SECRET = 32  # characters; of base64, 192 bits


class Settings(BaseSettings):
    """Settings of one subject, or of one plugin: `VINC_<PLUGIN>__<KEY>`, or `[plugins.<name>]` in plugins.toml.

    Made of the arguments alone: only the kernel reads the environment, and only once.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        enable_decoding=False,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # pydantic-settings passes the other sources by name
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **_: object
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    def not_for_production(self) -> Iterable[str]:
        """Return a line for each setting that is unsafe in production: name, reason and cure. Any stops the start."""
        return ()

    @field_validator("*", mode="before")
    @classmethod
    def split_list(cls, value: Any, info: ValidationInfo) -> Any:
        """Read the text of a list, comma-separated or JSON."""
        kind = get_origin(cls.model_fields[info.field_name or ""].annotation)
        if kind not in (list, tuple, set, frozenset) or not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return [part.strip() for part in value.split(",") if part.strip()]


class ServiceSettings(Settings):
    """What this installation is, and how it looks from outside. `max_body_size` is in bytes."""

    env: Literal["dev", "test", "prod"] = Field("prod", validation_alias="VINC_ENV")
    debug: bool = Field(default=False, validation_alias="VINC_DEBUG")
    api_prefix: PathPrefix = Field("/api/v1", validation_alias="VINC_API_V1_PREFIX")
    tenant_header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] = Field(
        "X-Tenant-ID", validation_alias="VINC_TENANT_HEADER"
    )
    docs: bool = Field(default=True, validation_alias="VINC_DOCS")
    secret_keys: list[SecretStr] = Field([], validation_alias="VINC_SECRET_KEY")
    trusted_proxies: list[ProxyAddress] = Field([], validation_alias="VINC_TRUSTED_PROXIES")
    max_body_size: Annotated[int, Field(ge=1024, le=2**40)] = Field(1_048_576, validation_alias="VINC_MAX_BODY_SIZE")
    body_timeout: Seconds = Field(30, validation_alias="VINC_BODY_TIMEOUT")

    def not_for_production(self) -> Iterable[str]:
        if self.debug:
            yield "VINC_DEBUG: is not for production: unset it, or set VINC_ENV to dev or test"

    @property
    def signing_keys(self) -> list[str]:
        """The keys of cursors: the first signs, each verifies. Outside production the default is a known one."""
        return [key.get_secret_value() for key in self.secret_keys] or [FOR_DEVELOPMENT]


class CorsSettings(Settings):
    """Which web pages of other origins may call the API."""

    origins: list[WebOrigin] = Field([], validation_alias="VINC_CORS_ORIGINS")
    credentials: bool = Field(default=False, validation_alias="VINC_CORS_CREDENTIALS")

    @model_validator(mode="after")
    def refuse_any_origin_with_credentials(self) -> Self:
        if self.credentials and "*" in self.origins:
            raise ValueError(
                "VINC_CORS_ORIGINS=* with VINC_CORS_CREDENTIALS lets every page act as its visitor: name the origins"
            )
        return self


class DatabaseSettings(Settings):
    """PostgreSQL. `url` is the application's role, `migration_url` the migrator's; serving never reads the latter.

    `direct_url` is `url` past a pooler, for the readiness probe and the poll of changes: a full pooler is not mistaken
    for a dead database.
    """

    url: PostgresUrl | None = Field(None, validation_alias="VINC_DATABASE_URL")
    migration_url: PostgresUrl | None = Field(None, validation_alias="VINC_DATABASE_MIGRATION_URL")
    direct_url: PostgresUrl | None = Field(None, validation_alias="VINC_DATABASE_DIRECT_URL")
    role_prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")] = Field(
        "vinc", validation_alias="VINC_DATABASE_ROLE_PREFIX"
    )
    start_timeout: Seconds = Field(30, validation_alias="VINC_DATABASE_START_TIMEOUT")
    pool_size: Annotated[int, Field(ge=1, le=1000)] = Field(5, validation_alias="VINC_DB_POOL_SIZE")
    max_overflow: Annotated[int, Field(ge=0, le=1000)] = Field(10, validation_alias="VINC_DB_MAX_OVERFLOW")
    pool_timeout: Seconds = Field(10, validation_alias="VINC_DB_POOL_TIMEOUT")
    answer_timeout: Seconds = Field(35, validation_alias="VINC_DB_ANSWER_TIMEOUT")
    echo: bool = Field(default=False, validation_alias="VINC_DB_ECHO")


class RedisSettings(Settings):
    """Redis, or Valkey; optional. `socket_timeout` bounds a whole call, in seconds."""

    url: RedisUrl | None = Field(None, validation_alias="VINC_REDIS_URL")
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = Field(50, validation_alias="VINC_REDIS_MAX_CONNECTIONS")
    socket_timeout: Seconds = Field(0.5, validation_alias="VINC_REDIS_SOCKET_TIMEOUT")


class JwtSettings(Settings):
    """Whose access tokens are accepted. An issuer is its address, or a JSON object with more about it.

    `refresh_interval` is how often an issuer's keys are fetched, in seconds, and at most how often for an unknown key.
    """

    issuers: Issuers = Field([], validation_alias="VINC_JWT_ISSUERS")
    audience: Audience = Field("vinc-api", validation_alias="VINC_JWT_AUDIENCE")
    test_secret: Annotated[SecretStr, Field(min_length=SHORTEST_SECRET)] | None = Field(
        None, validation_alias="VINC_JWT_TEST_SECRET"
    )
    refresh_interval: Seconds = Field(15, validation_alias="VINC_JWT_REFRESH_INTERVAL")

    def not_for_production(self) -> Iterable[str]:
        if self.test_secret is not None:
            yield "VINC_JWT_TEST_SECRET: is not for production: whoever knows it is anybody; unset it"
        for one in self.issuers:
            if not all(is_tls_or_loopback(address) for address in (one.issuer, one.jwks_url) if address):
                rule = "its keys would come without TLS, and could be anybody's: write https"
                yield f"VINC_JWT_ISSUERS: {one.issuer}: {rule}"


class PluginSettings(Settings):
    """Where the manifest is, and how long a plugin may take to load, in seconds."""

    file: Path | None = Field(None, validation_alias="VINC_PLUGINS_FILE")
    load_timeout: Seconds = Field(10, validation_alias="VINC_PLUGIN_LOAD_TIMEOUT")


class LogSettings(Settings):
    """How much is logged, and in which form; `auto` is readable in a terminal and JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", validation_alias="VINC_LOG_LEVEL")
    format: Literal["auto", "json", "text"] = Field("auto", validation_alias="VINC_LOG_FORMAT")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSettings:
    """The kernel's own settings, by subject; raises SettingsError for what is unsafe in production."""

    service: ServiceSettings = field(default_factory=ServiceSettings)
    cors: CorsSettings = field(default_factory=CorsSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    jwt: JwtSettings = field(default_factory=JwtSettings)
    plugins: PluginSettings = field(default_factory=PluginSettings)
    log: LogSettings = field(default_factory=LogSettings)

    def __post_init__(self) -> None:
        if self.service.env == "prod":
            refuse_for_production(*(getattr(self, subject) for subject in SUBJECTS))


SUBJECTS: Mapping[str, type[Settings]] = get_type_hints(KernelSettings)
S = TypeVar("S", bound=Settings)
VALIDATOR_ERRORS = {"value_error", "assertion_error"}  # their texts are the validator's own, and may hold the value


@dataclass(frozen=True, slots=True)
class Sources:
    """Where settings come from: the environment, and the `.env` file beside the working directory."""

    environ: Mapping[str, str]
    dotenv: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, environ: Mapping[str, str], dotenv: Path = DOTENV) -> Sources:
        """Return the environment and what the file holds; raises SettingsError for a file that cannot be read."""
        return cls(environ, read_dotenv(dotenv))

    def merged(self) -> dict[str, str]:
        """Return all of them by name, for those who add some of their own."""
        return {**self.dotenv, **{name: value for name, value in self.environ.items() if value}}

    def look_up(self, names: Sequence[str]) -> tuple[str, str, str] | None:
        """Return value, name and source of the first of these names that is set; an empty value is unset."""
        for source, values in (("environment", self.environ), (str(DOTENV), self.dotenv)):
            for name in names:
                if values.get(name):
                    return values[name], name, source
        return None


def read_dotenv(path: Path = DOTENV) -> dict[str, str]:
    """Return what a `.env` file holds, each value as it is written: `${HOME}` in a password stays.

    Raises SettingsError for a file that cannot be read, and for a line that sets nothing.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        cure = "make it a readable UTF-8 file"
        raise SettingsError([f"{path}: cannot be read: {type(error).__name__}; {cure}"]) from None
    bindings = list(parse_stream(StringIO(text)))
    broken = [one.original for one in bindings if one.error or (one.key is not None and one.value is None)]
    cure = "write NAME=value, with a quote at both ends or at none"
    # The parser counts the empty lines before a statement to it.
    lines = [one.line + one.string.count("\n", 0, -len(one.string.lstrip())) for one in broken]
    if lines:
        raise SettingsError([f"{path}: line {number}: sets nothing; {cure}" for number in lines])
    return {one.key: one.value for one in bindings if one.key is not None and one.value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One effective setting: its public name, where it came from, and how it may be shown."""

    name: str
    source: str
    shown: str


def env_names(cls: type[Settings], prefix: str = "") -> dict[str, list[str]]:
    """Return the environment names of each field; a plugin's begin with its prefix, older names are aliases."""
    return {
        key: ([f"{prefix}{key.upper()}"] if prefix else [])
        + ([info.validation_alias] if isinstance(info.validation_alias, str) else [])
        for key, info in cls.model_fields.items()
    }


def read_one(
    cls: type[S], sources: Sources, *, prefix: str = "", table: Mapping[str, Any] | None = None, table_name: str = ""
) -> tuple[S, list[Origin]]:
    """Return the settings of one subject and their origins; raises SettingsError with a line for each problem."""
    names = env_names(cls, prefix)
    values: dict[str, Any] = dict(table or {})
    origins = {key: (f"{table_name}.{key}", table_name) for key in values}
    for key, choices in names.items():
        if found := sources.look_up(choices):
            values[key], *_ = found
            origins[key] = found[1:]
    try:
        settings = cls(**values)
    except ValidationError as error:
        raise SettingsError(describe_errors(cls, error, values, names, origins)) from None
    return settings, [
        Origin(name=names[key][0], source=origins.get(key, ("", "default"))[1], shown=display(getattr(settings, key)))
        for key in cls.model_fields
    ]


def describe_errors(
    cls: type[Settings],
    error: ValidationError,
    values: Mapping[str, Any],
    names: Mapping[str, list[str]],
    origins: Mapping[str, tuple[str, str]],
) -> list[str]:
    """Return a line for each problem, with name, source and rule, and without any value."""
    lines = []
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        key = str(one["loc"][0]) if one["loc"] else ""
        key = next((field for field, choices in names.items() if key in choices), key)
        name, source = origins.get(key, (names.get(key, [key])[0], "not set"))
        rule = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden" and len(one["loc"]) == 1:
            rule = no_setting(key, cls.model_fields)
        if one["type"] in VALIDATOR_ERRORS and key in names and is_secret(cls.model_fields[key].annotation):
            rule = "is not valid"
        for value in values.values():
            if isinstance(value, str) and len(value) > 1:
                rule = rule.replace(value, "...")
        inside = "".join(f"{part}: " for part in one["loc"][1:])
        lines.append(f"{name} ({source}): {inside}{rule}" if key else rule)
    return lines


def is_secret(annotation: Any) -> bool:
    return annotation in (SecretStr, SecretBytes) or any(map(is_secret, get_args(annotation)))


def display(value: Any) -> str:
    """Return a setting as text; of a secret only that it is set."""
    if value is None:
        return "(unset)"
    if isinstance(value, SecretStr):
        return "**********"
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(map(display, value)) or "(none)"
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_settings(sources: Sources) -> tuple[KernelSettings, list[Origin]]:
    """Return the kernel's settings and their origins; raises SettingsError with every problem at once."""
    subjects: dict[str, Any] = {}
    origins: list[Origin] = []
    lines: list[str] = []
    for subject, cls in SUBJECTS.items():
        try:
            subjects[subject], own = read_one(cls, sources)
            origins += own
        except SettingsError as error:
            lines += error.lines
    if lines:
        raise SettingsError(lines)
    return KernelSettings(**subjects), origins


def refuse_for_production(*subjects: Settings) -> None:
    """Raise SettingsError with everything in these settings that is unsafe in production."""
    if lines := [line for one in subjects for line in one.not_for_production()]:
        raise SettingsError(lines)


def refuse_known_keys(service: ServiceSettings) -> None:
    """Raise SettingsError for keys that others know or may guess; a command that only reads the database needs none."""
    keys = service.signing_keys
    if service.env == "prod" and (FOR_DEVELOPMENT in keys or min(map(len, keys)) < SHORTEST_SECRET):
        rule = f"production needs one of its own, of {SHORTEST_SECRET} characters at least (VINC_ENV unset means prod)"
        cure = "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one; to develop, set VINC_ENV=dev"
        raise SettingsError([f"VINC_SECRET_KEY: {rule}; {cure}"])


def unknown_names(
    sources: Sources, plugins: Mapping[str, type[Settings] | None], idle: Callable[[], Iterable[str]] = tuple
) -> list[str]:
    """Return a line for each `VINC_` name that is not read; `idle` returns the plugins that are not enabled."""
    declared = [env_names(cls) for cls in SUBJECTS.values()]
    declared += [env_names(cls, plugin_prefix(plugin)) for plugin, cls in plugins.items() if cls is not None]
    known = {name for fields in declared for names in fields.values() for name in names}
    given = {name for name in (*sources.environ, *sources.dotenv) if name.startswith("VINC_")}
    unread = sorted(given - known)
    waiting = tuple(idle()) if unread else ()
    return [f"{name} {why_unread(name, known, waiting)}" for name in unread]


def why_unread(name: str, known: Iterable[str], idle: Iterable[str]) -> str:
    if owner := next((one for one in idle if name.startswith(f"VINC_{one.upper()}_")), None):
        return f"is not read: the plugin {owner} is not enabled"
    return no_setting(name, known)


def no_setting(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"is not a setting; did you mean {near[0]}?" if near else "is not a setting"


def plugin_prefix(plugin: str) -> str:
    return f"VINC_{plugin.upper()}__"
