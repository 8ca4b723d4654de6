"""`vinc serve`: the server, with our settings."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from ..settings import KernelSettings, Sources

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


def run(args: Namespace, settings: KernelSettings, given: Sources) -> int:
    import uvicorn  # what only this command needs

    if args.workers > 1 or args.reload:
        # The supervisor would start a worker that cannot start again and again: so it is found out here, once.
        from ..app import create_app

        create_app(settings, given)
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
    return 0
