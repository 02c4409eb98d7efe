"""Asking for an export, writing it, and forgetting it."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.customers.models import Customer
from apps.exports.columns import Names, columns_for
from apps.exports.models import Export, ExportPiece
from apps.exports.writing import piece_of
from apps.keys.models import ProviderKey, ProxyKey
from apps.kit.after_commit import after_commit
from apps.kit.errors import Refused
from apps.kit.failpoints import reach
from apps.kit.locks import lock_name
from apps.usage.models import Request
from apps.usage.queries.explorer import Search
from apps.usage.request_filter import RequestFilter

PIECE = 5_000  # requests
MOST_ROWS = 5_000_000  # of an export
MOST_UNDER_WAY = 3  # of a customer, or of an organization itself
MOST_FAILURES = 3
STALE = timedelta(minutes=2)  # nothing was done about it for so long: whoever did is gone
RUN = "exports.run"


class TooManyExports(Refused):
    """There are MOST_UNDER_WAY already."""


class NotUnderstood(Refused):
    """The filters make no sense."""


@transaction.atomic
def add_export(
    organization: Organization, customer: Customer | None, asked: QueryDict, file_format: str, *, by: User, at: datetime
) -> Export:
    """Have the requests that the explorer shows for `asked` written into a file.

    customer: for its portal, with what it may know; None: for the operator. Asked for again by the same person
    while it is under way, it is the same export. Raises NotUnderstood, TooManyExports.
    """
    form = RequestFilter(asked, organization, customer, at)
    if file_format not in Export.Format.values or not form.is_valid():
        raise NotUnderstood(_("That cannot be exported: a filter is not understood."))
    filters = {name: value for name, value in form.data.items() if name in form.fields}
    lock_name(f"exports {customer.pk if customer else organization.pk}")
    under_way = Export.objects.filter(organization=organization, customer=customer, state__in=Export.UNDER_WAY)
    if same := under_way.filter(asked_by=by, filters=filters, format=file_format).first():
        return same
    if under_way.count() >= MOST_UNDER_WAY:
        raise TooManyExports(_("Some exports are being written already. Wait until one of them is ready."))
    export = Export.objects.create(
        organization=organization,
        customer=customer,
        asked_by=by,
        filters=filters,
        format=file_format,
        rows_expected=_expected(form.search()),
        created_at=at,
        moved_at=at,
        expires_at=at + settings.EXPORT_RETENTION,
    )
    audit.record(organization, "export.add", export, actor=by, customer=customer)
    after_commit(RUN, str(export.pk))
    return export


def write_export(export_id: UUID, *, within: timedelta) -> bool:
    """Write pieces until it is done or time is up. Returns whether there is more to do.

    A piece is a transaction, with the place after it: killed anywhere, the next worker goes on from there. Two at
    once don't meet: who finds the export locked leaves it to the other.
    """
    deadline = timezone.now() + within
    while _write_piece(export_id, at=timezone.now()):
        reach("export_after_commit")
        if timezone.now() >= deadline:
            return True
    return False


def note_failure(export_id: UUID, *, at: datetime) -> None:
    """Something of ours broke while it was written. It is tried again, some times."""
    under_way = Export.objects.filter(pk=export_id, state__in=Export.UNDER_WAY)
    under_way.update(failures=F("failures") + 1, moved_at=at)
    under_way.filter(failures__gte=MOST_FAILURES).update(
        state=Export.State.FAILED, finished_at=at, reason=_("Something went wrong on our side. Ask for it again.")
    )


def stale_exports(*, at: datetime) -> list[UUID]:
    """Those that nobody works on: their worker died, or the message to begin was lost."""
    waiting = Export.objects.filter(state__in=Export.UNDER_WAY, moved_at__lt=at - STALE)
    return list(waiting.order_by("moved_at").values_list("pk", flat=True))


def forget_exports(*, at: datetime) -> int:
    """Delete those that have expired, with their files. Returns how many they were."""
    expired = list(Export.objects.filter(expires_at__lte=at).values_list("pk", flat=True))
    for export_id in expired:
        Export.objects.filter(pk=export_id).delete()  # one by one: each has many pieces
    return len(expired)


def remove_export(export: Export, *, by: User) -> None:
    """Stop it, or delete its file."""
    with transaction.atomic():
        locked = Export.objects.select_for_update().filter(pk=export.pk).first()
        if locked is not None:
            audit.record(export.organization, "export.remove", export, actor=by, customer=export.customer)
            locked.delete()


@transaction.atomic
def _write_piece(export_id: UUID, *, at: datetime) -> bool:
    """Returns whether there may be another piece to write."""
    waiting = Export.objects.select_for_update(skip_locked=True, of=("self",)).filter(state__in=Export.UNDER_WAY)
    export = waiting.select_related("organization", "customer").filter(pk=export_id).first()
    if export is None:
        return False
    search = _search(export)
    if search is None:
        reason = _("A customer or key that it was about is gone.")
        _finish(export, Export.State.FAILED, at, reason=reason)
        return False
    room = min(PIECE, MOST_ROWS - export.rows)
    requests = list(_after(search.rows(), export)[: room + 1])
    has_more = len(requests) > room
    requests = requests[:room]
    _add_piece(export, requests)
    reach("export_before_commit")
    export.state, export.moved_at = Export.State.RUNNING, at
    if requests:
        export.last_at, export.last_id = requests[-1].started_at, requests[-1].id
    export.is_cut = has_more and export.rows >= MOST_ROWS
    if has_more and not export.is_cut:
        export.save()
        return True
    _finish(export, Export.State.DONE, at)
    return False


def _add_piece(export: Export, requests: list[Request]) -> None:
    number = export.pieces.count() + 1
    if not requests and number > 1:
        return
    columns = columns_for(is_for_customer=export.customer_id is not None)
    content = piece_of(requests, columns, _names(export, requests), export.format, is_first=number == 1)
    ExportPiece.objects.create(export=export, number=number, content=content)
    export.rows += len(requests)
    export.size += len(content)


def _finish(export: Export, state: str, at: datetime, *, reason: str = "") -> None:
    export.state, export.reason, export.moved_at, export.finished_at = state, reason, at, at
    export.save()


def _search(export: Export) -> Search | None:
    """As it was asked, when it was asked; None: it makes no sense any more."""
    form = RequestFilter(export.filters, export.organization, export.customer, export.created_at)
    with timezone.override(form.zone):
        return form.search() if form.is_valid() else None


def _after(rows: QuerySet[Request], export: Export) -> QuerySet[Request]:
    """Newest first, from the place where the last piece ended."""
    rows = rows.filter(started_at__lt=export.created_at)
    if export.last_at is not None:
        rows = rows.filter(started_at__lte=export.last_at).exclude(started_at=export.last_at, id__gte=export.last_id)
    return rows.order_by("-started_at", "-id")


def _names(export: Export, requests: list[Request]) -> Names:
    ours: dict[str, Any] = {"organization": export.organization_id}
    keys = ProxyKey.objects.filter(**ours, pk__in={each.proxy_key_id for each in requests})
    by_key = dict(keys.values_list("pk", "name"))
    if export.customer_id is not None:
        return Names(keys=by_key)
    customers = Customer.objects.filter(**ours, pk__in={each.customer_id for each in requests})
    provider_keys = ProviderKey.objects.filter(**ours)
    return Names(dict(customers.values_list("pk", "name")), by_key, dict(provider_keys.values_list("pk", "name")))


def _expected(search: Search) -> int | None:
    """How many rows PostgreSQL guesses that there are, without a look at them."""
    (plan,) = json.loads(search.rows().explain(format="json"))
    return int(plan["Plan"]["Plan Rows"])
