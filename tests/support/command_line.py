"""Runs a command inside of the tests' process."""

import logging
from collections.abc import Sequence

import structlog
import typer
from typer.testing import CliRunner, Result


def run_command(app: typer.Typer, arguments: Sequence[str]) -> Result:
    """The result of a command. It configures the log for streams that are closed afterwards, so that is undone."""
    root = logging.getLogger()
    before, handlers, level = structlog.get_config(), list(root.handlers), root.level
    try:
        return CliRunner().invoke(app, list(arguments))
    finally:
        structlog.configure(**before)
        root.handlers[:] = handlers
        root.setLevel(level)
