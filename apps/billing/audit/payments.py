"""Payments say what the ledger says: what came in, what went back, and the credit that it bought."""

from collections.abc import Iterator
from uuid import UUID

from apps.billing.audit.findings import Finding, found_by
from apps.billing.audit.ledger import OWNED

OF_PAYMENT = OWNED.format(table="payment")
NAMED = "'payment ' || payment.provider_id || ' of ' || customer.slug"
# Each transaction names the payment it goes back to, and the refund, if it is of one.
CASH = f"""
    SELECT source->>'payment' AS payment, source->>'refund' AS refund, currency, sum(entry.amount) AS amount
    FROM billing_ledgertransaction AS booked JOIN billing_ledgerentry AS entry ON entry.transaction_id = booked.id
    JOIN billing_ledgeraccount AS account ON account.id = entry.account_id AND account.kind = 'cash'
    WHERE booked.source ? 'payment' AND {OWNED.format(table="booked")} GROUP BY 1, 2, 3
"""  # noqa: S608 constants of ours, as are all below
CAME_IN = f"""
    SELECT {NAMED} || ', cash that came in', wanted, coalesce(-cash.amount, 0)
    FROM billing_payment AS payment JOIN customers_customer AS customer ON customer.id = payment.customer_id
    LEFT JOIN ({CASH}) AS cash
        ON cash.payment = payment.id::text AND cash.refund IS NULL AND cash.currency = payment.currency,
    LATERAL (SELECT CASE payment.state WHEN 'succeeded' THEN payment.amount ELSE 0 END AS wanted) AS so_much
    WHERE {OF_PAYMENT} AND wanted <> coalesce(-cash.amount, 0) ORDER BY 1
"""  # noqa: S608
WENT_BACK = f"""
    SELECT {NAMED} || ', cash of refund ' || refund.provider_id, wanted, coalesce(cash.amount, 0)
    FROM billing_refund AS refund JOIN billing_payment AS payment ON payment.id = refund.payment_id
    JOIN customers_customer AS customer ON customer.id = payment.customer_id
    LEFT JOIN ({CASH}) AS cash ON cash.refund = refund.id::text AND cash.currency = payment.currency,
    LATERAL (SELECT CASE refund.state WHEN 'failed' THEN 0 ELSE refund.amount END AS wanted) AS so_much
    WHERE {OF_PAYMENT} AND wanted <> coalesce(cash.amount, 0) ORDER BY 1
"""  # noqa: S608
REFUNDED = f"""
    SELECT {NAMED} || ', sum of refunds', coalesce(sum(refund.amount), 0), payment.refunded
    FROM billing_payment AS payment JOIN customers_customer AS customer ON customer.id = payment.customer_id
    LEFT JOIN billing_refund AS refund ON refund.payment_id = payment.id AND refund.state <> 'failed'
    WHERE {OF_PAYMENT} GROUP BY payment.id, customer.slug
    HAVING coalesce(sum(refund.amount), 0) <> payment.refunded ORDER BY 1
"""  # noqa: S608
BOUGHT = f"""
    SELECT {NAMED} || ', credit that it bought', payment.credit, coalesce(lot.amount, 0)
    FROM billing_payment AS payment JOIN customers_customer AS customer ON customer.id = payment.customer_id
    LEFT JOIN billing_wallet AS wallet ON wallet.customer_id = customer.id
    LEFT JOIN billing_creditlot AS lot ON lot.wallet_id = wallet.id AND lot.key = 'top_up:' || payment.id
    WHERE {OF_PAYMENT} AND payment.state = 'succeeded' AND payment.credit <> coalesce(lot.amount, 0) ORDER BY 1
"""  # noqa: S608
# What is over is the customer's: never less than nothing. Refunds of credit notes are not taken from invoices.
OVER = f"""
    SELECT {NAMED} || ', invoices and refunds at most', payment.amount, used
    FROM billing_payment AS payment JOIN customers_customer AS customer ON customer.id = payment.customer_id,
    LATERAL (
        SELECT coalesce((SELECT sum(amount) FROM billing_paymentallocation WHERE payment_id = payment.id), 0)
            + coalesce((
                SELECT sum(amount) FROM billing_refund
                WHERE payment_id = payment.id AND state <> 'failed' AND credit_note_id IS NULL
            ), 0) AS used
    ) AS so_much
    WHERE {OF_PAYMENT} AND payment.credit = 0 AND used > payment.amount ORDER BY 1
"""  # noqa: S608
# What is held for disputes is there, and no more.
HELD = f"""
    SELECT 'credit held for disputes at ' || owner.slug, coalesce(sum(held), 0), account.balance
    FROM billing_ledgeraccount AS account JOIN accounts_organization AS owner ON owner.id = account.organization_id
    LEFT JOIN billing_payment AS payment ON payment.organization_id = owner.id
    LEFT JOIN billing_dispute AS dispute ON dispute.payment_id = payment.id
    WHERE account.kind = 'held' AND {OWNED.format(table="account")}
    GROUP BY account.id, owner.slug HAVING coalesce(sum(held), 0) <> account.balance ORDER BY 1
"""  # noqa: S608
CHECKS = {
    "payment.came_in": CAME_IN,
    "payment.went_back": WENT_BACK,
    "payment.refunded": REFUNDED,
    "payment.credit": BOUGHT,
    "payment.over": OVER,
    "payment.held": HELD,
}


def payment_findings(organization_id: UUID | None) -> Iterator[Finding]:
    """None: of all organizations."""
    for check, query in CHECKS.items():
        yield from found_by(check, query, {"organization": organization_id})
