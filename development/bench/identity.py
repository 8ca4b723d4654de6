"""What it costs to know who asks: a token that was seen before, a new one, and many that nobody has signed."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count, repeat
from statistics import median
from threading import Event, Thread
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet

from vinc_kernel import Issuer
from vinc_kernel.app import Application, create_app
from vinc_kernel.context import Context, PrincipalDirectory
from vinc_kernel.database.roles import Roles
from vinc_kernel.middleware.identity import Identity
from vinc_kernel.runtime import KERNEL, Runtime
from vinc_kernel.settings import Sources, read_settings
from vinc_testing.embedded.postgres import PostgresServer

from .bare import claims_rules
from .compare import Rounds, Side, compare
from .failed import BenchFailed
from .generate import write_plugins
from .load import Target
from .ready import migrate
from .report import Line, at_most, ratio
from .server import Server, environment, started, uvicorn
from .sso import AUDIENCE, URL, jwks, key, signed_in, token

DATABASE = "identity"
TIMES, NEW = 50_000, 300
UNKNOWN_A_SECOND = 1_000
PATH = "/api/v1/p000/thing"
NO_CREDENTIALS: Mapping[str, str] = {}


def identity(rounds: Rounds, postgres: PostgresServer) -> Iterator[Line]:
    """The step in process, with the plugin identity behind it, and then a server whom strangers ask as well."""
    directory = rounds.scratch / "identity"
    directory.mkdir()
    manifest = write_plugins(directory, 1, literal=True, others=["identity"])
    environ = environment(
        directory,
        VINC_PLUGINS_FILE=str(manifest),
        VINC_LOG_LEVEL="warning",
        VINC_DATABASE_URL=postgres.url(Roles().app, DATABASE),
    )
    migrate(environ, postgres, rounds.scratch, DATABASE)
    manifest_of_one = directory / "one.toml"
    manifest_of_one.write_text("[plugins.identity]\n")
    given = Sources({**environ, "VINC_PLUGINS_FILE": str(manifest_of_one)})
    settings, _ = read_settings(given)
    known, new, bare = asyncio.run(in_process(create_app(settings, given), rounds.count))
    yield at_most("identity: a token that was verified before", known, 5, "µs")
    yield at_most("identity: a new RS256 token, to joserfc alone", new / bare, 1.2, "x", f"{new:.0f} to {bare:.0f} µs")
    yield from under_strangers(rounds, environ)


async def in_process(app: Application, rounds: int) -> tuple[float, float, float]:
    """Microseconds of CPU: a known token, a new one, and joserfc's own verification of such a one; medians."""
    async with app.lifespan() as runtime:
        runtime.trusted.add(issuer(), "identity")
        step = app.pipeline.identity
        header = signed_in()["Authorization"].encode()
        await time_identity_step(runtime, step, [header])
        tokens = [[f"Bearer {token(f'{one}-{number}')}".encode() for number in range(NEW)] for one in range(rounds)]
        known = [await time_identity_step(runtime, step, [header] * TIMES) for _ in range(rounds)]
        found = [(await verified(step, some), decoded(some)) for some in tokens]
    return median(known), median(ours for ours, _ in found), median(theirs for _, theirs in found)


def issuer() -> Issuer:
    async def keys() -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(jwks())
        return found

    return Issuer(url=URL, audience=AUDIENCE, keys=keys)


async def time_identity_step(runtime: Runtime, step: Identity, headers: Sequence[bytes]) -> float:
    """The whole step, as the pipeline calls it."""
    directory, app = runtime.registry.find(PrincipalDirectory), runtime.apps[KERNEL]
    contexts = [Context(app=app, request_headers={b"authorization": header}) for header in headers]
    begun = time.process_time()
    for context in contexts:
        await step(context, directory)
    spent = time.process_time() - begun
    if contexts[-1].principal is None:
        raise BenchFailed("the token that was verified before is not believed")
    return spent / len(headers) * 1e6


async def verified(step: Identity, headers: Sequence[bytes]) -> float:
    begun = time.process_time()
    for header in headers:
        await step.authenticate(header.partition(b" ")[2])
    return (time.process_time() - begun) / len(headers) * 1e6


def decoded(headers: Sequence[bytes]) -> float:
    keys, rules = KeySet([key()]), claims_rules()
    tokens = [header.decode().partition(" ")[2] for header in headers]
    begun = time.process_time()
    for one in tokens:
        rules.validate(jwt.decode(one, keys, algorithms=["RS256"]).claims)
    return (time.process_time() - begun) / len(headers) * 1e6


def under_strangers(rounds: Rounds, environ: Mapping[str, str]) -> Iterator[Line]:
    """Known tokens while a thousand others a second name keys that nobody has.

    Beside a server that as many ask without any credentials, which it refuses as well; and beside one left alone.
    """
    command = uvicorn("apps:generated")
    what = "known tokens beside 1,000 unknown keys a second, to"
    target = Target([PATH], signed_in())
    with (
        started("asked by strangers", command, environ, rounds.scratch) as ours,
        started("asked by others", command, environ, rounds.scratch) as theirs,
        strangers(ours, unknown_keys()),
    ):
        with strangers(theirs, repeat(NO_CREDENTIALS)):
            found = compare(Side(ours, target), Side(theirs, target), rounds)
        yield ratio(f"{what} 1,000 without credentials", found, 0.9)
        yield ratio(f"{what} nobody", compare(Side(ours, target), Side(theirs, target), rounds))


def unknown_keys() -> Iterator[Mapping[str, str]]:
    """Headers with a token whose key has another name each time."""
    rest = token().partition(".")[2]
    for number in count():
        header = urlsafe_b64encode(json.dumps({"alg": "RS256", "typ": "JWT", "kid": str(number)}).encode())
        yield {"Authorization": f"Bearer {header.rstrip(b'=').decode()}.{rest}"}


@contextmanager
def strangers(server: Server, headers: Iterator[Mapping[str, str]]) -> Generator[None]:
    """Ask a thousand times a second on one connection, until the block ends."""
    ended = Event()

    def ask() -> None:
        line, begun = HTTPConnection("127.0.0.1", server.port, timeout=10), time.perf_counter()
        for number, given in enumerate(headers):
            if ended.wait(max(0.0, begun + number / UNKNOWN_A_SECOND - time.perf_counter())):
                break
            line.request("GET", PATH, headers=dict(given))
            line.getresponse().read()
        line.close()

    asking = Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield
    finally:
        ended.set()
        asking.join()
