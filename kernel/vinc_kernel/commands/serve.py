"""`vinc serve`: the server, with our settings."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from ..settings import KernelSettings, Sources

from .command import REFUSED

if TYPE_CHECKING:
    from .command import Commands

APP = "vinc_kernel.main:app"


def add(commands: Commands) -> None:
    made = commands.add_parser("serve", help="serve the application")
    made.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    made.add_argument("--port", type=int, default=8000, help="the port to listen on (default: %(default)s)")
    made.add_argument("--workers", type=int, default=1, help="how many processes answer (default: %(default)s)")
    made.add_argument("--reload", action="store_true", help="start again when a file changes; for development")
    made.set_defaults(run=run)


def run(args: Namespace, _settings: KernelSettings, _given: Sources) -> int:
    import uvicorn  # what only this command needs

    try:
        uvicorn.run(
            APP,
            host=args.host,
            port=args.port,
            workers=args.workers if not args.reload else None,
            reload=args.reload,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
        )
    except SystemExit as end:  # uvicorn's own exit codes mean other things than ours
        return REFUSED if end.code else 0
    return 0
