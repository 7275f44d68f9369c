"""The form of log lines: for people in a terminal, JSON elsewhere."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from wallet_service.platform.telemetry.logging import LogFormat, configure_logging


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The configuration of the tests, put back afterwards."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def written(stream: io.StringIO, form: LogFormat) -> str:
    configure_logging("info", stream, form=form)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.get_logger().info("request", client=None, status=402, code="insufficient_funds")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("stream", "form"), [(io.StringIO, "auto"), (io.StringIO, "json"), (Terminal, "json")]
)
def test_programs_read_json(stream: type[io.StringIO], form: LogFormat) -> None:
    line = json.loads(written(stream(), form))
    assert (line["event"], line["code"], line["request_id"]) == ("request", "insufficient_funds", "r-1")


@pytest.mark.parametrize(
    ("stream", "form"), [(Terminal, "auto"), (Terminal, "console"), (io.StringIO, "console")]
)
def test_people_read_lines(stream: type[io.StringIO], form: LogFormat) -> None:
    text = written(stream(), form)
    assert ("\x1b[" in text) == (stream is Terminal)
    plain = re.sub(r"\x1b\[\d*m", "", text)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d \[info +\] request +status=402 code=insufficient_funds request_id=r-1\n", plain
    )


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colors_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert "\x1b" not in written(Terminal(), "auto")


def fail(text: str) -> None:
    raise ValueError(text)


def test_nothing_that_is_logged_controls_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream, harm = Terminal(), "a\x1b]0;title\x07b\rc\u202ed\x9be"
    configure_logging("info", stream)
    structlog.get_logger().warning("event", text=harm, members=[harm])
    logging.getLogger("other").warning(harm)
    try:
        fail(harm)
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("other").exception("failed")
    text = stream.getvalue()
    assert "\\x1b]0;title" in text
    assert all(character.isprintable() or character == "\n" for character in text)


def test_a_traceback_has_lines_and_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream, a_secret = Terminal(), "wsk_" + "0" * 32
    configure_logging("info", stream)
    try:
        int(a_secret[:0] + "broken")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "\nTraceback (most recent call last):\n" in stream.getvalue()
    assert "\nValueError: invalid literal" in stream.getvalue()
    assert a_secret not in stream.getvalue()
