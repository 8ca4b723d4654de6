"""`vinc serve`: the server, with our settings."""

from __future__ import annotations

import os
from argparse import Namespace
from contextlib import ExitStack
from signal import SIG_IGN, SIGTERM, signal
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from ..settings import KernelSettings, Sources
from ..telemetry import configure
from .arguments import port, workers
from .command import REFUSED, Commands

if TYPE_CHECKING:
    import uvicorn

APP = "vinc_kernel.main:app"
SECONDS_TO_FINISH = 10  # what is under way; whoever has sent half a body must not hold up the stop


def add(commands: Commands) -> None:
    made = commands.add_parser("serve", help="serve the application")
    made.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    made.add_argument("--port", type=port, default=8000, help="the port; 0 is any free one (default: %(default)s)")
    made.add_argument("--workers", type=workers, default=1, help="how many processes answer (default: %(default)s)")
    made.add_argument("--reload", action="store_true", help="start again when a file changes; for development")
    made.set_defaults(run=run)


def run(args: Namespace, settings: KernelSettings, given: Sources) -> int:
    import uvicorn  # what only this command needs

    from ..plugins.trials import FAILURES, dump_failures, select_plugins

    config = uvicorn.Config(
        APP,
        host=args.host,
        port=args.port,
        workers=args.workers,
        reload=args.reload,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.service.trusted_proxies),
        forwarded_allow_ips=settings.service.trusted_proxies,
        lifespan="on",
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
        ws_max_size=settings.service.max_body_size,
    )
    configure(settings.log)  # the workers do it for themselves, and the supervisor speaks as well
    os.environ.pop(FAILURES, None)
    try:
        if config.should_reload or config.workers > 1:
            with ExitStack() as stack:
                if not config.should_reload:  # one that starts again after a change tries anew
                    file = stack.enter_context(NamedTemporaryFile("w", prefix="vinc-", suffix=".json"))
                    file.write(dump_failures(select_plugins(settings, given)))
                    file.flush()
                    os.environ[FAILURES] = file.name
                return supervise(config)
        server = uvicorn.Server(config)
        signal(SIGTERM, SIG_IGN)  # uvicorn takes it over while it runs, and sends it again when it has stopped cleanly
        server.run()
    except SystemExit as end:  # uvicorn's own exit codes mean other things than ours
        return REFUSED if end.code else 0
    except KeyboardInterrupt:
        return 0
    return 0 if server.started else REFUSED


def supervise(config: uvicorn.Config) -> int:
    """As `uvicorn.run` does it, which does not tell that a worker could not start."""
    from uvicorn import Server
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import ChangeReload, Multiprocess

    sockets = [config.bind_socket()]
    if config.should_reload:
        ChangeReload(config, target=Server(config).run, sockets=sockets).run()
        return 0
    supervisor = Multiprocess(config, sockets=sockets)
    supervisor.run()
    return REFUSED if any(one.exitcode == STARTUP_FAILURE for one in supervisor.processes) else 0
