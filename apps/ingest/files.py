"""History in files: read line by line, recorded a thousand at a time, what is wrong with a line noted beside it."""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, TextIO

from apps.accounts import audit
from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.ingest.columns import Row, told_of_row
from apps.ingest.errors import Invalid
from apps.ingest.event import Told
from apps.ingest.senders import Senders
from apps.ingest.services import Result, Status, check_events, record_events

AT_ONCE = 1_000
LONGEST_FIELD = 16 * 1024 * 1024  # exports may have whole conversations in a column
LONGEST_SHOWN = 2_000  # characters of a rejected line


class Line(NamedTuple):
    """A line of a file: what it says, or what is wrong with it."""

    number: int
    row: Row | Invalid
    text: str


@dataclass
class Imported:
    """What came of a file."""

    lines: int = 0
    counted: Counter[Status] = field(default_factory=Counter)

    def __getitem__(self, status: Status) -> int:
        return self.counted[status]


class Mapped(NamedTuple):
    """How a file's columns are meant."""

    names: Mapping[str, str]
    fixed: Mapping[str, str]


def import_usage(
    lines: Iterable[Line],
    *,
    organization: Organization,
    customer: Customer | None,
    mapped: Mapped,
    rejects: Callable[[], TextIO],
    at: datetime,
    is_dry_run: bool = False,
) -> Imported:
    """Record what the lines tell, of any age; run again, it finds what is there already.

    customer: of lines that name none. rejects: opens where lines that are not taken go, with the reasons.
    A thousand lines are a transaction: stopped at any time, what was counted is there, and the next run goes on.
    """
    done = Imported()
    record = check_events if is_dry_run else record_events
    default = str(customer.pk) if customer else None
    waiting = iter(lines)
    while some := list(islice(waiting, AT_ONCE)):
        events = [_told(line, mapped) for line in some]
        senders = Senders(organization, None, events, default=default)
        results = record(organization, [senders.sent(event) for event in events], at=at, is_history=True)
        done.lines += len(some)
        done.counted.update(result.status for result in results)
        for line, result in zip(some, results, strict=True):
            if result.status in (Status.INVALID, Status.CONFLICT):
                rejects().write(_reject(line, result))
    if not is_dry_run and done[Status.ACCEPTED]:
        changes = {status.value: (None, done[status]) for status in Status}
        audit.record(
            organization, "usage.import", customer or organization, actor=None, changes=changes, customer=customer
        )
    return done


def lines_of(path: Path, form: str, tell: Callable[[int], None]) -> Iterator[Line]:
    """The lines of a file, "csv" or "jsonl", packed with gzip where its name ends in .gz.

    tell: is told how many bytes of it have been read.
    """
    with path.open("rb") as raw, gzip.open(raw) if path.suffix == ".gz" else nullcontext(raw) as unpacked:
        for line in _csv(unpacked) if form == "csv" else _jsonl(unpacked):
            yield line
            tell(raw.tell())


def _csv(file: IO[bytes]) -> Iterator[Line]:
    csv.field_size_limit(LONGEST_FIELD)
    # Bytes that are no UTF-8 concern their own line, not all that follow.
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.DictReader(text)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(reader.line_num, Invalid(f"It is no CSV: {error}."), "")
            else:
                yield Line(reader.line_num, *_row_of(row))


def _row_of(row: dict[str, Any]) -> tuple[Row | Invalid, str]:
    shown = ",".join(map(str, row.values()))
    row.pop("", None)  # of a column without a name, such as the number of the row
    if None in row:
        return Invalid("It has more columns than the first line."), shown
    return (row if _is_utf8(row) else Invalid("It is not UTF-8.")), shown


def _is_utf8(row: Mapping[str, Any]) -> bool:
    try:
        "".join(f"{name}{value}" for name, value in row.items()).encode()
    except UnicodeEncodeError:
        return False
    return True


def _jsonl(file: IO[bytes]) -> Iterator[Line]:
    for number, raw in enumerate(file, 1):
        if not raw.strip():
            continue
        shown = raw.decode(errors="replace").rstrip("\r\n")
        try:
            row = json.loads(raw)
            if not isinstance(row, dict):
                raise ValueError("an object was expected")
            shown.encode()
        except (ValueError, RecursionError) as error:
            yield Line(number, Invalid(f"It is no JSON object: {error}."), shown)
        else:
            yield Line(number, row, shown)


def _told(line: Line, mapped: Mapped) -> Told | Invalid:
    if isinstance(line.row, Invalid):
        return line.row
    try:
        return told_of_row(line.row, mapped.names, mapped.fixed)
    except Invalid as error:
        return error


def _reject(line: Line, result: Result) -> str:
    told = {
        "line": line.number,
        "status": result.status.value,
        "reason": result.reason,
        "field": result.field,
        "row": line.text[:LONGEST_SHOWN],
    }
    return json.dumps(told, ensure_ascii=True) + "\n"
