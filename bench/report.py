"""The tables on the console, and the JSON for programs."""

import json
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.results import SHARES, Result, Results
from bench.targets import TARGETS, Target

_COLOURS = {"pass": "green", "miss": "red", "not measured": "dim"}
_WIDTH = 200
"""Columns of a line where the output is no terminal."""


def print_report(results: Results, console: Console) -> None:
    """Print the figures and the outcomes of the targets."""
    if not console.is_terminal:
        console = Console(file=console.file, width=_WIDTH, color_system=None)
    console.print(_rows(results))
    console.print(_targets(results))
    for key, row in results.rows.items():
        if row.notes:
            console.print(
                f"{key}: " + ", ".join(f"{count} {name}" for name, count in sorted(row.notes.items()))
            )
    _print_machine(results, console)
    if results.left_out is not None:
        console.print("[red]!!! LEFT OUT:[/red]", end=" ")
        console.print(results.left_out, markup=False, highlight=False)
    for key, error in results.failed.items():
        console.print(f"[red]row {key} failed[/red]:", end=" ")
        console.print(error, markup=False)


def write_json(results: Results, path: Path, mode: str) -> None:
    """Write all figures."""
    document: dict[str, Any] = {
        "mode": mode,
        "machine": dict(results.machine),
        "service_peak_rss_bytes": results.peak_rss_bytes,
        "client_import_ratio": results.import_ratio,
        "left_out": results.left_out,
        "rows": {key: row.document() for key, row in results.rows.items()},
        "targets": [_target(target, results) for target in TARGETS],
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _rows(results: Results) -> Table:
    title = "Medians of interleaved rounds; latencies (ms) from an open loop at 60 % of the rate; CPU in µs"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("row", no_wrap=True, min_width=len("kernel_batch_many_rows"))
    table.add_column("what", no_wrap=True)
    table.add_column("conn", justify="right", min_width=4)
    table.add_column("ops/s", justify="right", min_width=6)
    table.add_column("spread", justify="right", min_width=6)
    table.add_column("ratio", justify="left", min_width=len("0.00 kernel_batch_few_rows"))
    for name in (
        *SHARES,
        "client\nCPU/op",
        "service\nCPU/op",
        "REST\nCPU/op",
        "PG\nCPU/op",
        "WAL\nB/op",
        "disk\nB/op",
    ):
        table.add_column(name, justify="right", min_width=6, no_wrap=True)
    for row in results.rows.values():
        table.add_row(*_cells(row, results))
    return table


def _cells(row: Result, results: Results) -> list[str]:
    ratio = results.ratio(row.key, row.baseline) if row.baseline else None
    spread = row.spread
    cpu = (row.cpu_us.get(name) for name in ("client", "service", "rest", "postgres"))
    latencies = [_number(row.open_ms(name), 2) for name in SHARES]
    if not row.open_us and row.connections == 1 and row.p50_us is not None:
        latencies[0] = _number(row.p50_us / 1000, 2)
    return [
        row.key,
        row.title,
        str(row.connections),
        "failed" if row.error else _number(row.per_s),
        "" if spread is None or len(row.rounds) == 1 else f"{spread:.0%}",
        "" if ratio is None else f"{ratio:.2f} {row.baseline}",
        *latencies,
        *(_number(value) for value in cpu),
        _number(row.wal_bytes),
        _number(row.disk_bytes),
    ]


def _targets(results: Results) -> Table:
    table = Table(title="Targets", box=box.SIMPLE_HEAD)
    table.add_column("target")
    for name in ("measured", "required", "aim"):
        table.add_column(name, justify="right")
    table.add_column("outcome")
    for target in TARGETS:
        outcome = target.outcome(results)
        sign = "≤" if target.at_most else "≥"
        table.add_row(
            target.name,
            _number(target.measured(results), 2),
            f"{sign} {target.required:g}",
            "" if target.aim is None else f"{target.aim:g}",
            f"[{_COLOURS[outcome]}]{outcome}[/]",
        )
    return table


def _target(target: Target, results: Results) -> dict[str, Any]:
    measured = target.measured(results)
    return {
        "target": target.name,
        "measured": None if measured is None else round(measured, 4),
        "required": target.required,
        "aim": target.aim,
        "at_most": target.at_most,
        "outcome": target.outcome(results),
    }


def _print_machine(results: Results, console: Console) -> None:
    machine = dict(results.machine)
    postgres: dict[str, Any] = dict(machine.pop("postgres", {}))
    loaded: dict[str, Any] = dict(machine.pop("loaded", {}))
    service: dict[str, Any] = dict(machine.pop("service", {}))
    words = (
        ("machine", machine),
        ("PostgreSQL", postgres),
        ("settings of the service", service),
        ("loaded", loaded),
    )
    for name, facts in words:
        if facts:
            text = ", ".join(f"{key} {value}" for key, value in facts.items() if value is not None)
            console.print(f"{name}: {text}", markup=False, highlight=False)


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
