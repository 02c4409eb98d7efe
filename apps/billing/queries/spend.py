"""What customers used, in price, and what of it a wallet has not accounted for yet. From roll-ups, never requests."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from apps.billing.models import Wallet
from apps.customers.models import Customer
from apps.usage.models import Keeping

BEGINNING = datetime(1, 1, 2, tzinfo=UTC)

# A day whose sums are kept no longer stays as it was drawn.
UNDRAWN = """
SELECT coalesce(rolled.day, drawn.day) AS day, coalesce(rolled.price, 0) AS price
FROM (SELECT day, price FROM usage_dailycustomer WHERE customer_id = %(customer)s AND day >= %(since)s) AS rolled
FULL JOIN (SELECT day, amount FROM billing_drawnday WHERE wallet_id = %(wallet)s AND day >= %(since)s) AS drawn
    USING (day)
WHERE coalesce(rolled.price, 0) <> coalesce(drawn.amount, 0)
ORDER BY 1
"""
# What a customer used before its wallet's time: of days that are kept, and all that is forgotten but what was drawn.
# With what was drawn, it is all that the counter of its total cap has; what comes meanwhile is in neither.
OUTSIDE = """
SELECT wallet.id, wallet.spent_before, coalesce(forgotten.price, 0) + coalesce((
        SELECT sum(price) FROM usage_dailycustomer AS rolled
        WHERE rolled.customer_id = wallet.customer_id AND rolled.day < wallet.draws_from
            AND (keeping.days_since IS NULL OR rolled.day >= keeping.days_since)
    ), 0) - coalesce((
        SELECT sum(amount) FROM billing_drawnday AS drawn
        WHERE drawn.wallet_id = wallet.id AND drawn.day < keeping.days_since
    ), 0)
FROM billing_wallet AS wallet
JOIN customers_customer AS customer ON customer.id = wallet.customer_id
LEFT JOIN usage_keeping AS keeping ON keeping.organization_id = customer.organization_id
LEFT JOIN (
    SELECT customer_id, sum(price) AS price FROM usage_forgottenspend GROUP BY customer_id
) AS forgotten ON forgotten.customer_id = wallet.customer_id
"""
# Wallets that have such a day: a batch that came late, a new price. Of days from %(since)s on, for all wallets at once.
BEHIND = """
SELECT wallet_id FROM (
    SELECT wallet.id AS wallet_id, rolled.day, rolled.price AS price, 0 AS amount
    FROM billing_wallet AS wallet
    JOIN customers_customer AS customer ON customer.id = wallet.customer_id
    LEFT JOIN usage_keeping AS keeping ON keeping.organization_id = customer.organization_id
    JOIN usage_dailycustomer AS rolled
        ON rolled.customer_id = wallet.customer_id AND rolled.day >= greatest(wallet.draws_from, %(since)s)
        AND (keeping.days_since IS NULL OR rolled.day >= keeping.days_since)
    UNION ALL
    SELECT drawn.wallet_id, drawn.day, 0, drawn.amount
    FROM billing_drawnday AS drawn
    JOIN billing_wallet AS wallet ON wallet.id = drawn.wallet_id
    JOIN customers_customer AS customer ON customer.id = wallet.customer_id
    LEFT JOIN usage_keeping AS keeping ON keeping.organization_id = customer.organization_id
    WHERE drawn.day >= %(since)s AND (keeping.days_since IS NULL OR drawn.day >= keeping.days_since)
) AS days
GROUP BY wallet_id, day HAVING sum(price) <> sum(amount)
"""


class UndrawnDay(NamedTuple):
    """A day of which the wallet has accounted for more or less than was used."""

    day: datetime  # as in the roll-ups
    price: Decimal  # all that was used on it


def undrawn_days(wallet: Wallet, *, since: datetime | None = None) -> list[UndrawnDay]:
    """In order. since: only days from then on."""
    begins = [wallet.draws_from, since or BEGINNING, _kept_since(wallet.customer) or BEGINNING]
    with connection.cursor() as cursor:
        cursor.execute(UNDRAWN, {"customer": wallet.customer_id, "wallet": wallet.pk, "since": max(begins)})
        return [UndrawnDay(day, price) for day, price in cursor.fetchall()]


def wallets_behind(*, since: datetime) -> list[UUID]:
    """The wallets that don't have all of the days from `since` on, in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(BEHIND, {"since": since})
        return sorted({wallet_id for (wallet_id,) in cursor.fetchall()})


def spent_outside(wallet: Wallet) -> Decimal:
    """What the customer used on days that the wallet doesn't draw, in price."""
    with connection.cursor() as cursor:
        cursor.execute(f"{OUTSIDE} WHERE wallet.id = %s", [wallet.pk])
        outside: Decimal = cursor.fetchone()[2]
    return outside


def wallets_off() -> list[UUID]:
    """The wallets that have another sum of what was used before their time."""
    with connection.cursor() as cursor:
        cursor.execute(OUTSIDE)
        return sorted(wallet_id for wallet_id, noted, outside in cursor.fetchall() if noted != outside)


def _kept_since(customer: Customer) -> datetime | None:
    keeping = Keeping.objects.filter(organization_id=customer.organization_id)
    return keeping.values_list("days_since", flat=True).first()
