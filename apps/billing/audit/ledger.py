"""The ledger adds up: what the database sees to at every commit, asked of all rows that are there."""

from collections.abc import Iterator
from uuid import UUID

from apps.billing.audit.findings import Finding, found_by

OWNED = "(%(organization)s::uuid IS NULL OR {table}.organization_id = %(organization)s)"

SUM_TO_ZERO = f"""
    SELECT 'transaction ' || booked.key || ' in ' || currency, 0, sum(amount)
    FROM billing_ledgerentry AS entry JOIN billing_ledgeraccount AS account ON account.id = account_id
    JOIN billing_ledgertransaction AS booked ON booked.id = transaction_id
    WHERE {OWNED.format(table="booked")}
    GROUP BY booked.id, booked.key, currency HAVING sum(amount) <> 0 ORDER BY booked.key
"""  # noqa: S608 constants of ours, as are all below
BALANCES = f"""
    SELECT 'account ' || kind || ' in ' || currency || coalesce(' of ' || customer.slug, ''),
        coalesce(sum(amount), 0), balance
    FROM billing_ledgeraccount AS account LEFT JOIN billing_ledgerentry AS entry ON account_id = account.id
    LEFT JOIN customers_customer AS customer ON customer.id = account.customer_id
    WHERE {OWNED.format(table="account")}
    GROUP BY account.id, customer.slug HAVING balance <> coalesce(sum(amount), 0) ORDER BY 1
"""  # noqa: S608
FOREIGN = f"""
    SELECT 'transaction ' || booked.key, booked.organization_id::text, account.organization_id::text
    FROM billing_ledgerentry AS entry JOIN billing_ledgeraccount AS account ON account.id = account_id
    JOIN billing_ledgertransaction AS booked ON booked.id = transaction_id
    WHERE account.organization_id <> booked.organization_id AND {OWNED.format(table="booked")}
"""  # noqa: S608
CHECKS = {"ledger.sums_to_zero": SUM_TO_ZERO, "ledger.balance": BALANCES, "ledger.organization": FOREIGN}


def ledger_findings(organization_id: UUID | None) -> Iterator[Finding]:
    """None: of all organizations."""
    for check, query in CHECKS.items():
        yield from found_by(check, query, {"organization": organization_id})
