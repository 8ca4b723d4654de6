"""A mail server for development: it takes every mail, sends none on, and keeps each as a file."""

import secrets
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from .state import Refused, say


@dataclass(frozen=True, slots=True)
class Mail:
    """Where mails are to be sent, and where they are then."""

    port: int
    directory: Path

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802 - aiosmtpd's
        """Keep a mail, and tell of it in one line."""
        content = getattr(envelope, "content", b"")
        path = self.directory / f"{datetime.now():%Y-%m-%d-%H%M%S}-{secrets.token_hex(2)}.eml"  # noqa: DTZ005 - for eyes here
        path.write_bytes(content)
        mail = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
        told = f"a mail to {mail['to']}: {mail['subject']}: {path}"
        say("".join(letter if letter.isprintable() else " " for letter in told))
        return "250 OK"


def start(state: Path, stack: ExitStack) -> Mail:
    """Take mails on loopback, in a thread of this process; `stack` stops it."""
    from aiosmtpd.controller import Controller  # only `--keycloak` has mails

    directory = state / "mail"
    directory.mkdir(mode=0o700, exist_ok=True)
    mail = Mail(free_port(directory / "port"), directory)
    controller = Controller(mail, hostname="127.0.0.1", port=mail.port)
    controller.start()
    stack.callback(controller.stop)
    return mail


def free_port(note: Path) -> int:
    """The port of the last time, where nobody else has it now."""
    before = int(note.read_text()) if note.exists() else 0
    for port in (before, 0):
        with suppress(OSError), socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            found = int(tried.getsockname()[1])
            note.write_text(str(found))
            return found
    raise Refused("there is no free port for mails on 127.0.0.1")
