"""Requests as the lines of a file, compressed. Pure."""

import gzip
import json
from collections.abc import Iterable, Mapping

from apps.exports.columns import Column, Names
from apps.exports.models import Export
from apps.usage.models import Request
from apps.usage.tables import as_csv, plain

LEVEL = 6  # of compression: what is above it takes twice the time for some percent


def piece_of(
    requests: Iterable[Request], columns: Mapping[str, Column], names: Names, file_format: str, *, is_first: bool
) -> bytes:
    """A gzip member with a line for each request; before those of the first piece, CSV's names of columns."""
    rows = [{name: column(request, names) for name, column in columns.items()} for request in requests]
    if file_format == Export.Format.CSV:
        text = as_csv(list(columns), [_flat(row) for row in rows], has_names=is_first)
    else:
        text = "".join(_json(row) for row in rows)
    return gzip.compress(text.encode(), LEVEL, mtime=0)  # the same requests are the same bytes


def _flat(row: Mapping[str, object]) -> dict[str, object]:
    """A cell for each column: what has parts is JSON in it."""
    return {
        name: json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict | list) else value
        for name, value in row.items()
    }


def _json(row: Mapping[str, object]) -> str:
    """Amounts are text, exact to the last place: a number of JSON need not be."""
    told = {name: value if isinstance(value, dict | list) else plain(value) for name, value in row.items()}
    return json.dumps(told, ensure_ascii=False) + "\n"
