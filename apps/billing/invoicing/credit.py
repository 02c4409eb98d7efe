"""What of the usage that is invoiced was paid from credit, read for many customers at once. In USD.

A wallet draws by day (services/drawing.py); an invoice takes off what was drawn for its days. What was drawn for
an earlier period since, or given back, is the difference to what invoices have taken off for it.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from apps.billing.invoicing.days import FROM_WANTED, Wanted

DRAWN = f"""
    {FROM_WANTED}
    SELECT invoice_id, sum(from_credit), sum(amount)
    FROM wanted JOIN billing_wallet AS wallet USING (customer_id)
    JOIN billing_drawnday AS drawn ON wallet_id = wallet.id AND day >= since AND day < until
    GROUP BY invoice_id
"""  # noqa: S608 constants of ours
NOT_DRAWN = f"""
    {FROM_WANTED}
    SELECT DISTINCT wallet.id, since FROM wanted JOIN billing_wallet AS wallet USING (customer_id)
    JOIN usage_dailycustomer AS total ON total.organization_id = %(organization)s
        AND total.customer_id = wallet.customer_id AND total.day >= greatest(since, draws_from) AND total.day < until
    LEFT JOIN billing_drawnday AS drawn ON wallet_id = wallet.id AND drawn.day = total.day
    WHERE total.price <> coalesce(drawn.amount, 0) ORDER BY wallet.id
"""  # noqa: S608
# Of periods that are final: drawn for their days, less what any invoice has taken off for them.
LATE = f"""
    {FROM_WANTED},
    earlier AS (
        SELECT wanted.invoice_id, invoice.id, invoice.customer_id, wallet.id AS wallet_id, period_start, period_end
        FROM wanted JOIN billing_wallet AS wallet USING (customer_id)
        JOIN billing_invoice AS invoice USING (customer_id)
        WHERE kind = 'period' AND state IN ('open', 'paid', 'uncollectible')
            AND period_start >= since AND period_start < until
    ),
    counted AS (
        SELECT earlier.invoice_id, earlier.id,
            coalesce((
                SELECT sum(from_credit) FROM billing_drawnday AS drawn
                WHERE drawn.wallet_id = earlier.wallet_id AND day >= period_start AND day < period_end
            ), 0) - coalesce((
                SELECT sum((line.details->>'usd')::numeric) FROM billing_invoiceline AS line
                JOIN billing_invoice AS other ON other.id = line.invoice_id
                WHERE other.customer_id = earlier.customer_id AND other.state <> 'void' AND line.kind = 'credit'
                    AND line.period_start = earlier.period_start
            ), 0) - coalesce((
                SELECT sum(from_credit) FROM billing_creditedday AS credited
                WHERE credited.customer_id = earlier.customer_id AND day >= earlier.period_start
                    AND day < earlier.period_end
            ), 0) - coalesce((
                SELECT sum(from_credit) FROM billing_movedday AS moved WHERE moved.invoice_id = earlier.id
            ), 0) AS usd
        FROM earlier
    )
    SELECT invoice_id, id, usd FROM counted WHERE usd <> 0 ORDER BY invoice_id, id
"""  # noqa: S608


class Drawn(NamedTuple):
    """Of a period's days: what credit paid, and what usage was accounted for in all."""

    from_credit: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)


def drawn_of(organization_id: UUID, wanted: Sequence[Wanted]) -> dict[UUID, Drawn]:
    """By invoice; those without credit are not in it."""
    return {row[0]: Drawn(row[1], row[2]) for row in _rows(DRAWN, organization_id, wanted)}


def wallets_to_draw(organization_id: UUID, wanted: Sequence[Wanted]) -> list[tuple[UUID, datetime]]:
    """Wallets that have not accounted for all usage of the wanted days yet, and from when on."""
    return [(row[0], row[1]) for row in _rows(NOT_DRAWN, organization_id, wanted)]


def late_credit(organization_id: UUID, wanted: Sequence[Wanted]) -> dict[UUID, dict[UUID, Decimal]]:
    """By invoice, and by the earlier invoice: what credit paid for that one's period that none took off yet.

    Below zero: what was given back since.
    """
    found: dict[UUID, dict[UUID, Decimal]] = {}
    for invoice_id, earlier_id, usd in _rows(LATE, organization_id, wanted):
        found.setdefault(invoice_id, {})[earlier_id] = usd
    return found


def _rows(query: str, organization_id: UUID, wanted: Sequence[Wanted]) -> list[tuple[Any, ...]]:
    if not wanted:
        return []
    invoices, customers, since, until = map(list, zip(*wanted, strict=True))
    values: dict[str, Any] = {"organization": organization_id, "invoices": invoices, "customers": customers}
    with connection.cursor() as cursor:
        cursor.execute(query, values | {"since": since, "until": until})
        return list(cursor.fetchall())
