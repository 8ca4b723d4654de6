"""`./dev up --keycloak`: a real Keycloak instead of the development issuer, set up by `vinc keycloak bootstrap`."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from vinc_testing.embedded.process import dying_with

from . import mail
from .demo import PASSWORD
from .mail import Mail
from .service import Address, free
from .state import ROOT, Refused, Wish, say

REALM, CLIENT = "vinc", "vinc-web"
SUPER_ADMIN = "super@vinc.example"
COMMANDS = [
    ["keycloak", "bootstrap"],
    ["identity", "create-super-admin", "--email", SUPER_ADMIN, "--name", "Super Admin"],
]
SECONDS_TO_STOP, SECONDS_BETWEEN_LOOKS = 30, 0.1


@dataclass(frozen=True, slots=True)
class Keycloak:
    """A Keycloak that answers, and where its mails go. `keeper` is the process that holds it."""

    url: str
    password: str
    directory: Path
    keeper: subprocess.Popen[bytes]
    mail: Mail

    def refuse_if_ended(self) -> None:
        """Raise Refused when it has ended by itself."""
        if self.keeper.poll() is not None:
            message = f"Keycloak has ended by itself: its log is {self.directory / 'server.log'}"
            raise Refused(message)


def launch(state: Path, stack: ExitStack) -> subprocess.Popen[bytes]:
    """Start it; `stack` stops it. What a killed run has left of it ends by itself, and is waited for."""
    say("starting Keycloak (the first time it is fetched and built, which takes a minute or two)")
    directory = state / "keycloak"
    directory.mkdir(mode=0o700, exist_ok=True)
    words = [sys.executable, "-m", "tests.keycloak.server", str(directory)]
    keeper = subprocess.Popen(
        [*words, "--until-end-of", str(os.getpid()), "--port", str(port(directory))],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a terminal's Ctrl-C is for us
        preexec_fn=dying_with(os.getpid(), signal.SIGTERM),  # noqa: PLW1509 - prctl must be called by the child
    )
    stack.callback(stop, keeper)
    return keeper


def port(directory: Path) -> int:
    """The same one each time: with another one all its users would be somebody else's, as tokens name their issuer."""
    path = directory / "port"
    if not path.exists():
        path.write_text(str(free("127.0.0.1", 0).port))
    return int(path.read_text())


def stop(keeper: subprocess.Popen[bytes]) -> None:
    say("stopping Keycloak")
    keeper.terminate()
    try:
        keeper.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()


def complete(keeper: subprocess.Popen[bytes], state: Path, stack: ExitStack, wish: Wish) -> Keycloak:
    """Wait until it answers, and take its mails; raises Refused with the reason why there is none, or Stopped."""
    told = json.loads(first_line(keeper, wish) or '{"failed": "Keycloak does not start: the reason stands above"}')
    if "url" not in told:
        raise Refused(told.get("failed") or f"there is no Keycloak: {told['absent']}")
    return Keycloak(told["url"], told["password"], state / "keycloak", keeper, mail.start(state, stack))


def first_line(keeper: subprocess.Popen[bytes], wish: Wish) -> bytes:
    output = keeper.stdout
    if output is None:  # never: it is a pipe
        return b""
    while not select.select([output], [], [], SECONDS_BETWEEN_LOOKS)[0]:
        wish.check()
    wish.check()
    return output.readline()


def settings(keycloak: Keycloak, address: Address, given: Mapping[str, str]) -> dict[str, str]:
    here = [address.url, f"http://localhost:{address.port}"]
    return {
        "VINC_PLUGINS_FILE": str(plugins_file(keycloak, given)),
        "VINC_KEYCLOAK__SERVER_URL": keycloak.url,
        "VINC_KEYCLOAK__REALM": REALM,
        "VINC_KEYCLOAK__TIMEOUT": "60",  # its first realm takes its time
        "VINC_KEYCLOAK__CLIENT": CLIENT,
        "VINC_KEYCLOAK__ADMIN_USERNAME": "admin",
        "VINC_KEYCLOAK__ADMIN_PASSWORD": keycloak.password,
        "VINC_KEYCLOAK__PASSWORD_GRANT": "true",
        "VINC_KEYCLOAK__REDIRECT_URIS": ",".join(f"{origin}/docs/signed-in" for origin in here),
        "VINC_KEYCLOAK__WEB_ORIGINS": ",".join(here),
        "VINC_KEYCLOAK__SMTP_HOST": "127.0.0.1",
        "VINC_KEYCLOAK__SMTP_PORT": str(keycloak.mail.port),
        "VINC_KEYCLOAK__SMTP_FROM": "vinc@vinc.example",
        "VINC_KEYCLOAK__SMTP_STARTTLS": "false",
    }


def plugins_file(keycloak: Keycloak, given: Mapping[str, str]) -> Path:
    """Which plugins run: those of the checkout, with this identity provider instead of the other."""
    import tomlkit  # only `--keycloak` writes such a file

    source = ROOT / given.get("VINC_PLUGINS_FILE", "plugins.toml")
    document = tomlkit.parse(source.read_text("utf-8")) if source.is_file() else tomlkit.document()
    plugins = document.setdefault("plugins", tomlkit.table(is_super_table=True))
    for name, is_enabled in (("devissuer", False), ("keycloak", True)):
        plugins.setdefault(name, tomlkit.table())["enabled"] = is_enabled
    path = keycloak.directory / "plugins.toml"
    path.write_text(tomlkit.dumps(document), "utf-8")
    return path


def give_password(environ: Mapping[str, str]) -> None:
    """Let the demo super admin sign in at once; who wants to try the invitation finds its mail."""
    from vinc_kernel.settings import Sources, read_one
    from vinc_keycloak.service.connection import admin
    from vinc_keycloak.service.provider import KeycloakProvider
    from vinc_keycloak.settings import KeycloakSettings

    settings, _ = read_one(KeycloakSettings, Sources(environ), prefix="VINC_KEYCLOAK__")

    async def give() -> None:
        async with admin(settings) as line:
            provider = KeycloakProvider(line, "")
            if user := await provider.find(SUPER_ADMIN):
                await provider.set_password(user.subject, PASSWORD)

    asyncio.run(give())


def rows(keycloak: Keycloak, address: Address, given: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    secret = quote(str(keycloak.directory / "admin-password"))
    token_url = f"{keycloak.url}/realms/{REALM}/protocol/openid-connect/token"
    asked = f"-d grant_type=password -d client_id={CLIENT} -d username={SUPER_ADMIN} -d password={PASSWORD}"
    read = "import json, sys; print(json.load(sys.stdin)['access_token'])"
    me = f"{address.url}{given.get('VINC_API_V1_PREFIX', '/api/v1')}/identity/me"
    signed_in = [
        f"{SUPER_ADMIN}, password {PASSWORD}",
        f'token=$(curl -s {token_url} {asked} | python3 -c "{read}")',
        f'curl -H "Authorization: Bearer $token" {me}',
    ]
    return [
        ("Sign in", signed_in),
        ("Keycloak", [f"{keycloak.url}/admin, as admin; cat {secret} shows the password"]),
        ("Mails", [str(keycloak.mail.directory)]),
    ]
