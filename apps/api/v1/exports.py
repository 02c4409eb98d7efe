"""Everything at once: hours of usage as a stream, to be kept and summed elsewhere."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.params import span_of
from apps.api.v1.problems import InvalidParameters
from apps.api.v1.schema import operation
from apps.api.v1.usage import UsageParams, UsageView, in_hours
from apps.usage.queries.exported import columns, exported_hours
from apps.usage.tables import csv_lines, plain

TAG = "Exports"
LONGEST = timedelta(days=400)
TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
LINES_A_PART = 200


class ExportParams(UsageParams):
    format = serializers.ChoiceField(choices=list(TYPES), default="ndjson")


class UsageExport(UsageView):
    @operation(
        "usage:read",
        "Export usage",
        name="export_usage",
        tag=TAG,
        params=ExportParams,
        answers={
            (200, "application/x-ndjson"): OpenApiResponse(OpenApiTypes.STR, "A line for each, in the order of time."),
            (200, "text/csv"): OpenApiTypes.STR,
        },
        errors=(404,),
    )
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        """A line for each hour, key, model and user: as JSON, or as CSV that spreadsheets may open.

        Up to 400 days. Empty fields: the request named no user. Sums of hours are what every page shows.
        """
        params = ExportParams.of(request)
        period = in_hours(span_of(params, self.zone))
        if period.until - period.since > LONGEST:
            raise InvalidParameters({"since": f"At most {LONGEST.days} days at once."})
        scope, form = self.scope(params, period), params["format"]
        rows = exported_hours(scope, is_operators=self.is_operators)
        names = columns(is_operators=self.is_operators)
        lines = csv_lines(names, told_rows(rows)) if form == "csv" else as_json_lines(told_rows(rows))
        named = f"usage-{period.since:%Y%m%d}-{period.until:%Y%m%d}.{form}"
        return StreamingHttpResponse(
            in_parts(lines),
            content_type=TYPES[form],
            headers={"Content-Disposition": f'attachment; filename="{named}"'},
        )


def as_json_lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line of JSON for each."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def told_rows(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each with its values as CSV has them."""
    return ({name: _told(value) for name, value in row.items()} for row in rows)


def in_parts(lines: Iterable[str]) -> Iterator[bytes]:
    """Many lines together: each part is a write of its own."""
    part: list[str] = []
    for line in lines:
        part.append(line)
        if len(part) == LINES_A_PART:
            yield "".join(part).encode()
            part = []
    yield "".join(part).encode()


def _told(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return plain(value)
