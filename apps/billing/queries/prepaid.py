"""What customers who pay beforehand may have spent, for the limiter: see apps/limits/prepaid.py."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from uuid import UUID

from django.db import connection

from apps.limits.prepaid import Prepaid

# One statement: a draw changes several of these at once, and no half of it is to be seen.
CAPS = """
SELECT wallet.customer_id, wallet.prepaid_since,
    wallet.spent_before + wallet.drawn + account.balance + wallet.credit_line AS cap,
    wallet.credit_line + (
        SELECT coalesce(sum(amount), 0) FROM billing_creditlot WHERE wallet_id = wallet.id AND remaining > 0
    ) AS shown
FROM billing_wallet AS wallet JOIN billing_ledgeraccount AS account ON account.id = wallet.account_id
WHERE wallet.prepaid_since IS NOT NULL AND wallet.customer_id = ANY(%s)
"""


def prepaid_of(customers: Collection[UUID]) -> Mapping[UUID, Prepaid]:
    """The caps of those of the customers that have a prepaid wallet. One query."""
    with connection.cursor() as cursor:
        cursor.execute(CAPS, [list(customers)])
        return {
            customer_id: Prepaid(cap, since, behind=max(cap, Decimal(0)) - shown)
            for customer_id, since, cap, shown in cursor.fetchall()
        }
