"""The log: one record a line whatever is in it, and nothing in it that a caller sent."""

from __future__ import annotations

import io
import json
import logging

import pytest

from vinc_kernel.settings import LogSettings
from vinc_kernel.telemetry import configure, escaped, request_log

pytestmark = pytest.mark.usefixtures("root_logger")
FORGED = "a\r\nlevel=error forged\x1b[31m\u2028\u2029\x85\x00"


def written(form: str, *, debug: bool = False) -> io.StringIO:
    stream = io.StringIO()
    configure(LogSettings(format=form, level="info"), debug=debug, stream=stream)
    return stream


@pytest.mark.parametrize("form", ["json", "text"])
def test_one_record_is_one_line_whatever_is_in_it(form: str) -> None:
    stream = written(form)
    logging.getLogger("somebody").warning("said %s", FORGED, extra={"who": FORGED})
    tell = request_log(LogSettings(format=form), stream)
    assert tell is not None
    tell("request", route=FORGED)

    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert not any(character in line for line in lines for character in "\r\x1b\u2028\u2029\x85\x00")


def test_addresses_that_we_call_are_not_logged() -> None:
    stream = written("json")
    logging.getLogger("httpx").info("HTTP Request: GET https://login.example/users?email=alice@acme.example")

    assert not stream.getvalue()


def test_json_lines_have_level_logger_and_time() -> None:
    stream = written("json")
    logging.getLogger("vinc.plugins").info("ready", extra={"plugin": "health"})

    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["logger"], line["plugin"]) == ("ready", "info", "vinc.plugins", "health")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["json", "text"])
def test_of_an_exception_the_log_has_its_class_and_lines_and_not_its_text(form: str) -> None:
    stream = written(form)
    log_a_failure("canary-hunter2")

    assert "builtins.ValueError" in stream.getvalue()
    assert "test_telemetry.py" in stream.getvalue()
    assert "canary" not in stream.getvalue()


def test_with_debug_a_traceback_has_its_text() -> None:
    stream = written("json", debug=True)
    log_a_failure("what happened")

    assert "ValueError: what happened" in json.loads(stream.getvalue())["exception"]


def log_a_failure(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("vinc").exception("a request failed")


def test_the_level_is_kept_by_both_kinds_of_lines() -> None:
    stream = io.StringIO()
    configure(LogSettings(format="json", level="warning"), stream=stream)
    logging.getLogger("vinc").info("unheard")

    assert request_log(LogSettings(format="json", level="warning"), stream) is None
    assert stream.getvalue() == ""


def test_escaping_leaves_what_can_be_printed() -> None:
    assert escaped("Zoë\t1") == r"Zoë\x091"
