"""A mail server on loopback that takes every mail and keeps it."""

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from ..integration.serving import free_port

link = re.compile(r"https?://\S+").search
SECONDS_TO_ARRIVE = 10


@dataclass
class Mails:
    """What has arrived, oldest first."""

    port: int
    arrived: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        content = envelope.content or b""
        mail = message_from_bytes(content if isinstance(content, bytes) else content.encode(), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.arrived.append(mail)
        return "250 OK"

    def to(self, address: str) -> EmailMessage:
        """The newest mail to this address; fails when none arrives in time."""
        deadline = time.monotonic() + SECONDS_TO_ARRIVE
        while time.monotonic() < deadline:
            for mail in reversed(self.arrived):
                if address in str(mail["to"]):
                    return mail
            time.sleep(0.05)
        message = f"no mail to {address}: {[str(one['to']) for one in self.arrived]}"
        raise AssertionError(message)


def link_in(mail: EmailMessage) -> str:
    """The address that the mail asks to follow."""
    body = mail.get_body(("plain",))
    found = link(body.get_content() if body else "")
    assert found, mail
    return found[0]


@contextmanager
def mails() -> Generator[Mails]:
    """Take mails until the end of the block."""
    box = Mails(free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
