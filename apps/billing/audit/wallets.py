"""Wallets say what the ledger says, and what usage there was: each lot, each day, each balance."""

from collections.abc import Iterator
from uuid import UUID

from apps.billing.audit.findings import Finding, found_by

# Every query is about wallets, with the customer's slug to name them by.
OF_WALLETS = """
    billing_wallet AS wallet JOIN customers_customer AS customer ON customer.id = wallet.customer_id
        AND (%(organization)s::uuid IS NULL OR customer.organization_id = %(organization)s)
"""
BALANCE = f"""
    SELECT 'wallet of ' || slug || ': lots less what is overdrawn, and the ledger',
        balance, coalesce((SELECT sum(remaining) FROM billing_creditlot WHERE wallet_id = wallet.id), 0) - overdrawn
    FROM {OF_WALLETS} JOIN billing_ledgeraccount AS account ON account.id = wallet.account_id
    WHERE balance
        <> coalesce((SELECT sum(remaining) FROM billing_creditlot WHERE wallet_id = wallet.id), 0) - overdrawn
    ORDER BY slug
"""  # noqa: S608 constants of ours, as are all below
LOTS = f"""
    SELECT 'lot ' || lot.key || ' of ' || slug || ': what is left of it', lot.amount - coalesce(sum(used.amount), 0),
        lot.remaining
    FROM {OF_WALLETS} JOIN billing_creditlot AS lot ON lot.wallet_id = wallet.id
    LEFT JOIN billing_lotuse AS used ON used.lot_id = lot.id
    GROUP BY lot.id, slug HAVING lot.remaining <> lot.amount - coalesce(sum(used.amount), 0) ORDER BY 1
"""  # noqa: S608
BOOKED = f"""
    SELECT 'lot ' || lot.key || ' of ' || slug || ': what was booked for it', lot.amount, entry.amount
    FROM {OF_WALLETS} JOIN billing_creditlot AS lot ON lot.wallet_id = wallet.id
    LEFT JOIN billing_ledgertransaction AS booked ON booked.organization_id = customer.organization_id
        AND booked.key = 'lot:' || wallet.id || ':' || lot.key
    LEFT JOIN billing_ledgerentry AS entry ON entry.transaction_id = booked.id AND entry.account_id = wallet.account_id
    WHERE lot.amount IS DISTINCT FROM entry.amount ORDER BY 1
"""  # noqa: S608
# What came in by a transaction, or went out, is what lots gave: but for what was overdrawn, by usage or a lost dispute.
OWED = "coalesce((booked.source->>'overdrawn')::numeric, 0)"
TAKEN = f"""
    SELECT 'transaction ' || booked.key || ' of ' || slug || ': what lots gave', -entry.amount - {OWED},
        coalesce(sum(used.amount), 0)
    FROM {OF_WALLETS} JOIN billing_ledgerentry AS entry ON entry.account_id = wallet.account_id
    JOIN billing_ledgertransaction AS booked ON booked.id = entry.transaction_id
    LEFT JOIN billing_lotuse AS used ON used.transaction_id = booked.id
    WHERE booked.kind IN ('expiry', 'adjustment', 'refund', 'dispute') AND entry.amount < 0
    GROUP BY booked.id, slug, entry.amount
    HAVING -entry.amount - {OWED} <> coalesce(sum(used.amount), 0) ORDER BY 1
"""  # noqa: S608
# A day's transactions have the day in their key: usage:<wallet>:<day>:<number>. What was moved from another day has
# that one's.
DAYS = f"""
    WITH booked AS (
        SELECT wallet.id AS wallet_id, (source->>'day')::timestamptz AS day, -sum(entry.amount) AS amount
        FROM {OF_WALLETS} JOIN billing_ledgerentry AS entry ON entry.account_id = wallet.account_id
        JOIN billing_ledgertransaction AS booked ON booked.id = entry.transaction_id
        WHERE booked.kind = 'usage' GROUP BY 1, 2
    ), drawn AS (
        SELECT wallet_id, day, from_credit - moved AS from_credit FROM billing_drawnday
        WHERE wallet_id IN (SELECT wallet.id FROM {OF_WALLETS})
    )
    SELECT 'usage of ' || customer.slug || ' on ' || to_char(day AT TIME ZONE organization.time_zone, 'YYYY-MM-DD')
        || ': paid from credit, by the ledger', coalesce(booked.amount, 0), coalesce(from_credit, 0)
    FROM booked FULL JOIN drawn USING (wallet_id, day) JOIN billing_wallet AS wallet ON wallet.id = wallet_id
    JOIN customers_customer AS customer ON customer.id = wallet.customer_id
    JOIN accounts_organization AS organization ON organization.id = customer.organization_id
    WHERE coalesce(booked.amount, 0) <> coalesce(from_credit, 0) ORDER BY 1
"""  # noqa: S608
DRAWN = f"""
    SELECT 'wallet of ' || slug || ': usage that it accounted for', coalesce(sum(day.amount), 0), wallet.drawn
    FROM {OF_WALLETS} LEFT JOIN billing_drawnday AS day ON day.wallet_id = wallet.id
    GROUP BY wallet.id, slug HAVING wallet.drawn <> coalesce(sum(day.amount), 0) ORDER BY 1
"""  # noqa: S608
BEYOND = f"""
    SELECT 'usage of ' || slug || ' on ' || to_char(day AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ': paid at most',
        day.amount, day.from_credit
    FROM {OF_WALLETS} JOIN billing_drawnday AS day ON day.wallet_id = wallet.id
    WHERE NOT day.from_credit BETWEEN least(0, day.amount) AND greatest(0, day.amount) ORDER BY 1
"""  # noqa: S608
MOVED = f"""
    SELECT 'wallet of ' || slug || ': moved from days to days', 0, sum(day.moved)
    FROM {OF_WALLETS} JOIN billing_drawnday AS day ON day.wallet_id = wallet.id
    GROUP BY wallet.id, slug HAVING sum(day.moved) <> 0 ORDER BY 1
"""  # noqa: S608
VOUCHERS = """
    SELECT 'voucher …' || hint || ' of ' || organization.slug || ': how often it was used', count(lot.id), uses
    FROM billing_voucher AS voucher JOIN accounts_organization AS organization
        ON organization.id = voucher.organization_id
        AND (%(organization)s::uuid IS NULL OR organization.id = %(organization)s)
    LEFT JOIN billing_creditlot AS lot ON lot.key = 'voucher:' || voucher.id
    GROUP BY voucher.id, organization.slug HAVING uses <> count(lot.id) ORDER BY 1
"""
CHECKS = {
    "wallet.balance": BALANCE,
    "wallet.lot": LOTS,
    "wallet.booked": BOOKED,
    "wallet.taken": TAKEN,
    "wallet.day": DAYS,
    "wallet.drawn": DRAWN,
    "wallet.paid": BEYOND,
    "wallet.moved": MOVED,
    "voucher.uses": VOUCHERS,
}
# No fault: the next draw comes to it. Of days whose sums are kept no longer nothing can be said.
NOT_DRAWN = f"""
    WITH wallets AS (
        SELECT wallet.id AS wallet_id, wallet.customer_id, customer.organization_id, slug, draws_from,
            greatest(draws_from, coalesce(days_since, '-infinity')) AS since
        FROM {OF_WALLETS} LEFT JOIN usage_keeping AS keeping ON keeping.organization_id = customer.organization_id
    ), rolled AS (
        SELECT wallet_id, day, price FROM wallets JOIN usage_dailycustomer AS total USING (customer_id)
        WHERE day >= since
    ), drawn AS (
        SELECT wallet_id, day, amount FROM wallets JOIN billing_drawnday USING (wallet_id) WHERE day >= since
    )
    SELECT 'usage of ' || wallets.slug || ' on ' || to_char(day AT TIME ZONE organization.time_zone, 'YYYY-MM-DD')
        || ': accounted for by its wallet', coalesce(price, 0), coalesce(amount, 0)
    FROM rolled FULL JOIN drawn USING (wallet_id, day) JOIN wallets USING (wallet_id)
    JOIN accounts_organization AS organization ON organization.id = wallets.organization_id
    WHERE coalesce(price, 0) <> coalesce(amount, 0) ORDER BY 1
"""  # noqa: S608


def wallet_findings(organization_id: UUID | None) -> Iterator[Finding]:
    """What does not add up. None: of all organizations."""
    for check, query in CHECKS.items():
        yield from found_by(check, query, {"organization": organization_id})


def not_drawn(organization_id: UUID | None) -> list[Finding]:
    """Usage that wallets have not paid for yet, or paid for and that is less now: the next draw comes to it."""
    return list(found_by("wallet.not_drawn", NOT_DRAWN, {"organization": organization_id}))
