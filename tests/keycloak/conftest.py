"""A real Keycloak, a realm in it, and the application that believes it."""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from vinc_kernel.app import Application
from vinc_kernel.cli import main
from vinc_kernel.settings import Sources, read_one
from vinc_keycloak.service.bootstrap import reconcile
from vinc_keycloak.service.connection import admin
from vinc_keycloak.service.drift import Difference
from vinc_keycloak.service.provider import KeycloakProvider
from vinc_keycloak.settings import KeycloakSettings
from vinc_testing import Database, Servers
from vinc_testing.clients import client_of
from vinc_testing.running import pointing_at

from .distribution import KeycloakAbsent
from .mails import Mails, mails
from .realm import Realm, bearer
from .running import keycloak
from .server import Keycloak

AUDIENCE = "vinc-api"
PLUGINS = """
[plugins.health]
[plugins.tenants]
[plugins.identity]
[plugins.devissuer]
enabled = false
[plugins.keycloak]
"""
Signed = Callable[[str], httpx.AsyncClient]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.keycloak)


@pytest.fixture(scope="session")
def keycloak_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Keycloak:
    """Where the Keycloak of this run is; without one the test is not run, and says why."""
    is_worker = hasattr(request.config, "workerinput")
    own = tmp_path_factory.getbasetemp()
    try:
        return keycloak(own.parent if is_worker else own, os.getppid() if is_worker else os.getpid())
    except KeycloakAbsent as absent:
        pytest.skip(f"no Keycloak: {absent}")


@pytest.fixture(scope="session")
def box() -> Generator[Mails]:
    """Where the realm's mails arrive."""
    with mails() as made:
        yield made


@pytest.fixture(scope="session")
def http() -> Generator[httpx.Client]:
    with httpx.Client(timeout=30, trust_env=False) as made:
        yield made


@pytest.fixture
def absent_realm(keycloak_server: Keycloak, box: Mails, http: httpx.Client) -> Generator[Realm]:
    """The name of a realm that is not there; it goes again if the test makes it."""
    realm = Realm(keycloak_server, f"vinc-{secrets.token_hex(4)}", box.port, http)
    yield realm
    realm.admin("DELETE", "", missing=True)


@pytest.fixture(scope="session")
def realm(keycloak_server: Keycloak, box: Mails, http: httpx.Client) -> Generator[Realm]:
    """A realm as bootstrap makes it, for all tests of a worker: each has its own users, and mends what it changes."""
    made = Realm(keycloak_server, f"vinc-{secrets.token_hex(4)}", box.port, http)
    asyncio.run(bootstrapped(made))
    yield made
    made.admin("DELETE", "")


def settings_of(realm: Realm, **environ: str) -> KeycloakSettings:
    """The plugin's settings, read as the kernel reads them."""
    settings, _ = read_one(KeycloakSettings, Sources({**realm.environ, **environ}), prefix="VINC_KEYCLOAK__")
    return settings


async def bootstrapped(realm: Realm, *, write: bool = True, **environ: str) -> list[Difference]:
    """What bootstrap finds."""
    async with admin(settings_of(realm, **environ)) as line:
        return [one async for one in reconcile(line, AUDIENCE, write=write)]


@pytest.fixture
def email() -> str:
    """An address that nobody has."""
    return f"p{secrets.token_hex(4)}@acme.example"


@pytest.fixture
async def provider(realm: Realm) -> AsyncGenerator[KeycloakProvider]:
    async with admin(settings_of(realm)) as line:
        yield KeycloakProvider(line, AUDIENCE)


@pytest.fixture
def plugins_file(tmp_path: Path) -> Path:
    path = tmp_path / "plugins.toml"
    path.write_text(PLUGINS)
    return path


@pytest.fixture
def vinc_environment(realm: Realm, plugins_file: Path) -> Mapping[str, str]:
    return {**realm.environ, "VINC_PLUGINS_FILE": str(plugins_file)}


@pytest.fixture
async def with_token(vinc_app: Application) -> AsyncGenerator[Signed]:
    """Make clients of our application that send this token."""
    async with AsyncExitStack() as stack:

        def made(token: str) -> httpx.AsyncClient:
            client = client_of(vinc_app, "/api/v1", bearer(token))
            stack.push_async_callback(client.aclose)
            return client

        yield made


@pytest.fixture
def vinc(
    vinc_servers: Servers,
    vinc_database: Database,
    vinc_worker: str,
    plugins_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str]]:
    """Run the command `vinc` with a realm's settings: its code, and its output with its errors after it."""
    environ = {**pointing_at(vinc_servers, vinc_database.name, vinc_worker), "VINC_PLUGINS_FILE": str(plugins_file)}

    def run(realm: Realm, *words: str, **more: str) -> tuple[int, str]:
        for name, value in {**environ, **realm.environ, **more}.items():
            monkeypatch.setenv(name, value)
        code = main(words)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@asynccontextmanager
async def put_back(realm: Realm, path: str) -> AsyncGenerator[None]:
    """What a test changes there is as before at the end."""
    before = realm.admin("GET", path)
    try:
        yield
    finally:
        realm.admin("PUT", path, before)
