"""Types of arguments that several commands take; what is out of range is a usage error."""

from __future__ import annotations

from argparse import ArgumentTypeError


def port(text: str) -> int:
    """A TCP port; 0 is any free one."""
    number = int(text)
    if not 0 <= number < 2**16:
        raise ArgumentTypeError("a port is a number from 0 to 65535")
    return number


def workers(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("at least 1 process must serve")
    return number
