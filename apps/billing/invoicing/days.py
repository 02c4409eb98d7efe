"""What of the roll-ups is on no invoice yet, read for many customers at once.

Usage of a day is what its roll-up has, less what invoices have of it already (void ones don't count) and plus what
credit notes took back; all of it moved to the days as they are now, where the organization changed its zone. So
nothing is billed twice, in whatever order periods are built, voided and built again.
Days whose roll-ups were forgotten are left alone: nothing is taken back because nothing is there any more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from apps.usage.models import TOKEN_KINDS

KEY = "customer_id, day, provider, model, sold_as"


class Wanted(NamedTuple):
    """Days to be read for an invoice: those that begin from `since` on and before `until`."""

    invoice_id: UUID
    customer_id: UUID
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Used:
    """Usage of a model that an invoice is to have on it: of the wanted days from `since` on, or of one day. In USD."""

    invoice_id: UUID
    provider: str
    model: str
    sold_as: str
    requests: int
    price: Decimal
    tokens: dict[str, int]  # by kind, those that are not 0
    since: datetime


SUMS = ", ".join(f"sum({kind}_tokens)::bigint AS {kind}" for kind in TOKEN_KINDS)
TOKENS = "jsonb_strip_nulls(jsonb_build_object({}))".format(
    ", ".join(f"'{kind}', nullif(rest.{kind}, 0)" for kind in TOKEN_KINDS)
)
OF_EACH = "each.customer_id, each.day, each.provider, each.model, each.sold_as, each.requests, each.price, each.tokens"
OF_WANTED = "JOIN wanted ON wanted.customer_id = each.customer_id AND each.day >= since AND each.day < until"
INVOICED = f"""
    SELECT {OF_EACH} FROM billing_invoicedday AS each {OF_WANTED}
    JOIN billing_invoice AS invoice ON invoice.id = each.invoice_id AND invoice.state <> 'void'
    UNION ALL
    SELECT {OF_EACH} FROM billing_creditedday AS each {OF_WANTED}
    UNION ALL
    SELECT {OF_EACH} FROM billing_movedday AS each {OF_WANTED}
    JOIN billing_invoice AS invoice ON invoice.id = each.invoice_id AND invoice.state <> 'void'
"""  # noqa: S608 constants of ours, as are all below
ROLLED_UP = f"""
    SELECT {KEY}, wanted.invoice_id, wanted.since, sum(requests - refused)::bigint AS requests, sum(price) AS price,
        {SUMS}
    FROM usage_dailytotal AS total JOIN wanted USING (customer_id)
    WHERE total.organization_id = %(organization)s AND day >= since AND day < until {{condition}}
    GROUP BY {KEY}, wanted.invoice_id, wanted.since
"""  # noqa: S608
# Days that have an invoice of their own yet to come: a draft is built anew, what is void is built again.
WAITS = """
    AND NOT EXISTS (
        SELECT FROM billing_invoice AS other
        WHERE other.customer_id = total.customer_id AND other.kind = 'period' AND other.id <> wanted.invoice_id
        AND day >= other.period_start AND day < other.period_end AND (other.state = 'draft' OR other.state = 'void'
            AND NOT EXISTS (
                SELECT FROM billing_invoice AS next
                WHERE next.customer_id = other.customer_id AND next.key = other.key AND next.state <> 'void'
            )
        )
    )
"""
FROM_WANTED = """
WITH wanted (invoice_id, customer_id, since, until) AS MATERIALIZED (
    SELECT * FROM unnest(
        %(invoices)s::uuid[], %(customers)s::uuid[], %(since)s::timestamptz[], %(until)s::timestamptz[]
    )
)
"""
REST = f"""
    SELECT used.invoice_id, used.since, {KEY}, used.requests - coalesce(had.requests, 0) AS requests,
        used.price - coalesce(had.price, 0) AS price,
        {", ".join(f"used.{kind} - coalesce((gone.tokens->>'{kind}')::bigint, 0) AS {kind}" for kind in TOKEN_KINDS)}
    FROM used LEFT JOIN had USING ({KEY})
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(kind, tokens) AS tokens FROM (
            SELECT kind, sum(value::bigint)::bigint AS tokens
            FROM invoiced AS one, jsonb_each_text(one.tokens) AS token (kind, value)
            WHERE (one.customer_id, one.day, one.provider, one.model, one.sold_as)
                = (used.customer_id, used.day, used.provider, used.model, used.sold_as)
            GROUP BY kind
        ) AS by_kind
    ) AS gone ON had.price IS NOT NULL
    WHERE (used.price, used.requests) IS DISTINCT FROM (coalesce(had.price, 0), coalesce(had.requests, 0))
"""  # noqa: S608
MISSING = f"""
    {FROM_WANTED},
    invoiced AS MATERIALIZED ({INVOICED}),
    had AS (SELECT {KEY}, sum(requests)::bigint AS requests, sum(price) AS price FROM invoiced GROUP BY {KEY}),
    used AS ({ROLLED_UP}),
    rest AS MATERIALIZED ({REST})
"""  # noqa: S608
TAKE = f"""
    {MISSING.format(condition="")},
    taken AS (
        INSERT INTO billing_invoicedday (invoice_id, {KEY}, requests, price, tokens)
        SELECT invoice_id, {KEY}, requests, price, {TOKENS} FROM rest
    )
    SELECT invoice_id, provider, model, sold_as, sum(requests)::bigint, sum(price), since,
        {", ".join(f"sum({kind})::bigint" for kind in TOKEN_KINDS)}
    FROM rest GROUP BY invoice_id, since, provider, model, sold_as
    ORDER BY invoice_id, since, sold_as, provider, model
"""  # noqa: S608
LATE = f"""
    {MISSING.format(condition=WAITS)}
    SELECT invoice_id, provider, model, sold_as, requests, price, day, {", ".join(TOKEN_KINDS)}
    FROM rest ORDER BY invoice_id, day, sold_as, provider, model
"""  # noqa: S608


def take_days(organization_id: UUID, wanted: Sequence[Wanted]) -> dict[UUID, list[Used]]:
    """Note the wanted days of each invoice as invoiced, and give what they sum to by model.

    One statement, and so one look at the roll-ups: the days and the sums of an invoice never differ.
    """
    return _by_invoice(_rows(TAKE, organization_id, wanted))


def late_days(organization_id: UUID, wanted: Sequence[Wanted]) -> dict[UUID, list[Used]]:
    """What differs from what invoices have of these days, each day by itself: late usage, and new prices."""
    return _by_invoice(_rows(LATE, organization_id, wanted))


def _rows(query: str, organization_id: UUID, wanted: Sequence[Wanted]) -> Iterator[Used]:
    if not wanted:
        return
    invoices, customers, since, until = map(list, zip(*wanted, strict=True))
    values: dict[str, Any] = {"organization": organization_id, "invoices": invoices, "customers": customers}
    with connection.cursor() as cursor:
        cursor.execute(query, values | {"since": since, "until": until})
        for row in cursor.fetchall():
            yield _used(row)


def _used(row: tuple[Any, ...]) -> Used:
    invoice_id, provider, model, sold_as, requests, price, since, *counts = row
    tokens = {kind: int(count) for kind, count in zip(TOKEN_KINDS, counts, strict=True) if count}
    return Used(invoice_id, provider, model, sold_as, requests, price, tokens, since)


def _by_invoice(found: Iterator[Used]) -> dict[UUID, list[Used]]:
    by_invoice: dict[UUID, list[Used]] = {}
    for used in found:
        by_invoice.setdefault(used.invoice_id, []).append(used)
    return by_invoice
