"""Exports as the console and the portal both show them: asked for, watched, downloaded."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, QueryDict, StreamingHttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.customers.models import Customer
from apps.exports.models import Export, ExportPiece
from apps.exports.services import add_export
from apps.kit.errors import Refused
from apps.usage.request_filter import ActiveFilter, RequestFilter

SHOWN = 50
TYPES = {Export.Format.CSV: "text/csv; charset=utf-8", Export.Format.JSONL: "application/jsonl; charset=utf-8"}
BADGES = {Export.State.DONE: "badge-good", Export.State.FAILED: "badge-bad"}


@dataclass(frozen=True)
class ExportRow:
    """An export, as a table shows it."""

    export: Export
    asked_at: datetime
    expires_at: datetime
    period: Any
    filters: list[ActiveFilter]
    badge: str
    size: str
    is_ready: bool
    download_url: str
    remove_url: str

    @property
    def share(self) -> float:
        """How much is written, from 0 to 1."""
        return (self.export.percent or 0) / 100


def exports_of(organization: Organization, customer: Customer | None) -> QuerySet[Export]:
    """Those that were asked for in the customer's portal; None: in the console."""
    return organization.exports.filter(customer=customer).select_related("asked_by")


def export_rows(
    organization: Organization, customer: Customer | None, *, at: datetime, url: Callable[[str, UUID], str]
) -> list[ExportRow]:
    """The latest ones first."""
    zone = ZoneInfo(organization.time_zone)
    return [
        ExportRow(
            export,
            export.created_at.astimezone(zone),
            export.expires_at.astimezone(zone),
            *_filters(export, organization, customer),
            BADGES.get(Export.State(export.state), "badge-accent"),
            filesizeformat(export.size),
            export.is_ready(at),
            url("export-download", export.pk),
            url("export-remove", export.pk),
        )
        for export in exports_of(organization, customer).order_by("-created_at", "-pk")[:SHOWN]
    ]


def ask_for_export(
    request: HttpRequest, organization: Organization, customer: Customer | None, *, by: User, at: datetime
) -> bool:
    """What the explorer's form posts: its query string, and a format. Says how it went; returns whether it is made."""
    try:
        asked = QueryDict(request.POST.get("query", ""))
        add_export(organization, customer, asked, request.POST.get("format", ""), by=by, at=at)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return False
    messages.success(request, _("It is being written. Stay here, or come back later."))
    return True


def download(export: Export, *, by: User, at: datetime, is_compressed: bool) -> StreamingHttpResponse:
    """The file, a piece at a time. That somebody took it is in the audit log."""
    if not export.is_ready(at):
        raise Http404
    audit.record(export.organization, "export.download", export, actor=by, customer=export.customer)
    name = f"{export}.gz" if is_compressed else str(export)
    kind = "application/gzip" if is_compressed else TYPES[Export.Format(export.format)]
    response = StreamingHttpResponse(_pieces(export.pk, is_compressed), content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    if is_compressed:
        response.headers["Content-Length"] = str(export.size)
    return response


def _pieces(export_id: UUID, is_compressed: bool) -> Iterator[bytes]:
    """Each asked for when the one before is sent: no more of the file is in memory."""
    number = 1
    while piece := ExportPiece.objects.filter(export=export_id, number=number).first():
        yield bytes(piece.content) if is_compressed else gzip.decompress(piece.content)
        number += 1


def _filters(export: Export, organization: Organization, customer: Customer | None) -> tuple[Any, list[ActiveFilter]]:
    form = RequestFilter(export.filters, organization, customer, export.created_at)
    if not form.is_valid():
        return "", []
    periods = dict(form.fields["period"].choices)  # type: ignore[attr-defined]
    if form.data["period"] == "custom":
        return f"{form.data.get('since', '…')} – {form.data.get('until', '…')}".replace("T", " "), form.active
    return periods[form.data["period"]], form.active
