"""Invoices add up: lines to totals, usage lines to the days they were made of, and each invoice to the ledger.

That what a credit note or a void took back is booked is asked of the ledger, too. Amounts in another currency than
USD were rounded to 12 places once a line, and so is what is compared with them.
"""

from collections.abc import Iterator
from uuid import UUID

from apps.billing.audit.findings import Finding, found_by, rows_of
from apps.billing.audit.ledger import OWNED

OF_INVOICE = OWNED.format(table="invoice")
NAMED = "'invoice ' || coalesce(nullif(invoice.number, ''), 'draft ' || invoice.id)"
NAMED_LINE = f"{NAMED} || ', line ' || line.position || ' (' || line.description || ')'"
IS_USAGE = "line.kind IN ('usage', 'late_usage')"

LINES = f"""
    SELECT {NAMED} || ', sum of lines', invoice.subtotal, coalesce(sum(line.amount), 0)
    FROM billing_invoice AS invoice LEFT JOIN billing_invoiceline AS line ON line.invoice_id = invoice.id
    WHERE {OF_INVOICE} GROUP BY invoice.id HAVING coalesce(sum(line.amount), 0) <> invoice.subtotal
"""  # noqa: S608 constants of ours, as are all below
PRECISE = f"""
    SELECT {NAMED} || ', sum of exact lines', invoice.precise_subtotal, coalesce(sum(line.precise_amount), 0)
    FROM billing_invoice AS invoice LEFT JOIN billing_invoiceline AS line ON line.invoice_id = invoice.id
    WHERE {OF_INVOICE} GROUP BY invoice.id HAVING coalesce(sum(line.precise_amount), 0) <> invoice.precise_subtotal
"""  # noqa: S608
# A line's amount is what it has without discount, net or, where tax is within, gross.
AMOUNTS = f"""
    SELECT {NAMED_LINE} || ', amount', kept.net + kept.discount, line.amount
    FROM billing_invoiceline AS line JOIN billing_invoice AS invoice ON invoice.id = line.invoice_id,
    LATERAL (SELECT (line.details->>'net')::numeric + CASE WHEN EXISTS (
            SELECT FROM billing_invoicetax AS tax WHERE tax.invoice_id = invoice.id AND is_inclusive
        ) THEN (line.details->>'tax')::numeric ELSE 0 END AS net,
        (line.details->>'discount')::numeric AS discount) AS kept
    WHERE {OF_INVOICE} AND line.details ? 'net' AND kept.net + kept.discount <> line.amount
"""  # noqa: S608
SHARES = f"""
    SELECT {NAMED_LINE} || ', exact amount',
        round((line.details->>'share')::numeric * invoice.per_dollar, 12), line.precise_amount
    FROM billing_invoiceline AS line JOIN billing_invoice AS invoice ON invoice.id = line.invoice_id
    WHERE {OF_INVOICE} AND line.details ? 'share'
        AND line.precise_amount <> round((line.details->>'share')::numeric * invoice.per_dollar, 12)
"""  # noqa: S608
QUANTITIES = f"""
    SELECT {NAMED_LINE} || ', quantity times unit price', line.precise_amount, line.quantity * line.unit_price
    FROM billing_invoiceline AS line JOIN billing_invoice AS invoice ON invoice.id = line.invoice_id
    WHERE {OF_INVOICE} AND {IS_USAGE} AND line.unit_price IS NOT NULL
        AND abs(line.quantity * line.unit_price - line.precise_amount) > (abs(line.quantity) + 1) * 0.000000000001
"""  # noqa: S608
# What lines of a model are worth is what its days are; but for models that a charge of the plan covers.
DAYS = f"""
    SELECT {NAMED} || ', usage of ' || coalesce(nullif(model, ''), 'no model'), in_days, in_lines
    FROM (
        SELECT coalesce(days.invoice_id, lines.invoice_id) AS invoice_id, model, coalesce(days.usd, 0) AS in_days,
            coalesce(lines.usd, 0) AS in_lines
        FROM (
            SELECT invoice_id, sold_as AS model, sum(price) AS usd FROM billing_invoicedday GROUP BY 1, 2
        ) AS days FULL JOIN (
            SELECT invoice_id, model, sum((details->>'share')::numeric) AS usd
            FROM billing_invoiceline AS line WHERE {IS_USAGE} GROUP BY 1, 2
        ) AS lines USING (invoice_id, model)
    ) AS compared JOIN billing_invoice AS invoice ON invoice.id = invoice_id
    WHERE {OF_INVOICE} AND in_days <> in_lines AND NOT (in_lines = 0 AND EXISTS (
        SELECT FROM billing_invoiceline AS charge WHERE charge.invoice_id = invoice.id AND charge.kind = 'charge'
    ))
"""  # noqa: S608
# Where days begin elsewhere than they did, what an invoice has of them is only counted on others.
MOVED = f"""
    SELECT {NAMED} || ', usage of ' || coalesce(nullif(model, ''), 'no model') || ' moved to other days', 0, sum(price)
    FROM billing_movedday AS each JOIN billing_invoice AS invoice ON invoice.id = each.invoice_id
    WHERE {OF_INVOICE} GROUP BY invoice.id, model HAVING sum(price) <> 0
"""  # noqa: S608
TOTALS = f"""
    SELECT {NAMED} || ', total', subtotal - discount + CASE WHEN is_within THEN 0 ELSE tax END, total
    FROM billing_invoice AS invoice, LATERAL (
        SELECT coalesce(bool_or(is_inclusive), FALSE) AS is_within FROM billing_invoicetax AS each
        WHERE each.invoice_id = invoice.id
    ) AS taxes
    WHERE {OF_INVOICE} AND total <> subtotal - discount + CASE WHEN is_within THEN 0 ELSE tax END
"""  # noqa: S608
TAXES = f"""
    SELECT {NAMED} || ', sum of taxes', invoice.tax, coalesce(sum(each.amount), 0)
    FROM billing_invoice AS invoice LEFT JOIN billing_invoicetax AS each ON each.invoice_id = invoice.id
    WHERE {OF_INVOICE} GROUP BY invoice.id HAVING coalesce(sum(each.amount), 0) <> invoice.tax
"""  # noqa: S608
CREDITED = f"""
    SELECT {NAMED} || ', sum of credit notes', coalesce(sum(note.total), 0), invoice.credited
    FROM billing_invoice AS invoice LEFT JOIN billing_creditnote AS note ON note.invoice_id = invoice.id
    WHERE {OF_INVOICE} GROUP BY invoice.id HAVING coalesce(sum(note.total), 0) <> invoice.credited
"""  # noqa: S608
NOTES = f"""
    SELECT 'credit note ' || note.number || ', sum of lines', note.subtotal, sum(line.amount)
    FROM billing_creditnote AS note LEFT JOIN billing_creditnoteline AS line ON line.credit_note_id = note.id
    WHERE {OWNED.format(table="note")} GROUP BY note.id HAVING note.subtotal IS DISTINCT FROM sum(line.amount)
"""  # noqa: S608
# What is final is booked as it is: what the customer owes, of which a part is tax.
BOOKED = f"""
    SELECT {NAMED} || ', in the ledger: ' || of.kind, of.amount, coalesce(booked.amount, 0)
    FROM billing_invoice AS invoice,
    LATERAL (VALUES ('receivable', -total), ('revenue', total - tax), ('tax', tax)) AS of (kind, amount)
    LEFT JOIN LATERAL (
        SELECT sum(entry.amount) AS amount FROM billing_ledgertransaction AS done
        JOIN billing_ledgerentry AS entry ON entry.transaction_id = done.id
        JOIN billing_ledgeraccount AS account ON account.id = entry.account_id
        WHERE done.organization_id = invoice.organization_id AND done.key = 'invoice:' || invoice.id
            AND account.kind = of.kind AND account.currency = invoice.currency
    ) AS booked ON TRUE
    WHERE {OF_INVOICE} AND invoice.state <> 'draft' AND invoice.kind <> 'top_up'
        AND coalesce(booked.amount, 0) <> of.amount
"""  # noqa: S608
VOIDED = f"""
    SELECT {NAMED} || ', booked back', -sum(entry.amount), (
        SELECT coalesce(sum(back.amount), 0) FROM billing_ledgertransaction AS undone
        JOIN billing_ledgerentry AS back ON back.transaction_id = undone.id
        WHERE undone.organization_id = invoice.organization_id AND undone.key = 'void:invoice:' || invoice.id
            AND back.account_id = entry.account_id
    )
    FROM billing_invoice AS invoice
    JOIN billing_ledgertransaction AS done
        ON done.organization_id = invoice.organization_id AND done.key = 'invoice:' || invoice.id
    JOIN billing_ledgerentry AS entry ON entry.transaction_id = done.id
    WHERE {OF_INVOICE} AND invoice.state = 'void' GROUP BY invoice.id, entry.account_id
    HAVING -sum(entry.amount) <> (
        SELECT coalesce(sum(back.amount), 0) FROM billing_ledgertransaction AS undone
        JOIN billing_ledgerentry AS back ON back.transaction_id = undone.id
        WHERE undone.organization_id = invoice.organization_id AND undone.key = 'void:invoice:' || invoice.id
            AND back.account_id = entry.account_id
    )
"""  # noqa: S608
NOTES_BOOKED = f"""
    SELECT 'credit note ' || note.number || ', in the ledger: ' || of.kind, of.amount, coalesce(booked.amount, 0)
    FROM billing_creditnote AS note JOIN billing_invoice AS invoice ON invoice.id = note.invoice_id,
    LATERAL (VALUES ('revenue', -note.subtotal), ('tax', -note.tax)) AS of (kind, amount)
    LEFT JOIN LATERAL (
        SELECT sum(entry.amount) AS amount FROM billing_ledgertransaction AS done
        JOIN billing_ledgerentry AS entry ON entry.transaction_id = done.id
        JOIN billing_ledgeraccount AS account ON account.id = entry.account_id
        WHERE done.organization_id = note.organization_id AND done.source->>'credit_note' = note.id::text
            AND account.kind = of.kind AND account.currency = invoice.currency
    ) AS booked ON TRUE
    WHERE {OWNED.format(table="note")} AND coalesce(booked.amount, 0) <> of.amount
"""  # noqa: S608
PAID = f"""
    SELECT {NAMED} || ', paid', coalesce(sum(each.amount), 0), invoice.paid
    FROM billing_invoice AS invoice LEFT JOIN billing_paymentallocation AS each ON each.invoice_id = invoice.id
    WHERE {OF_INVOICE} AND invoice.kind <> 'top_up'
    GROUP BY invoice.id HAVING coalesce(sum(each.amount), 0) <> invoice.paid
"""  # noqa: S608
NUMBERS = f"""
    SELECT 'numbers of ' || series.kind || 's of ' || owner.slug, series.last, count(used.sequence)
    FROM billing_numberseries AS series JOIN accounts_organization AS owner ON owner.id = series.organization_id
    LEFT JOIN LATERAL (
        SELECT sequence FROM billing_invoice AS invoice
        WHERE invoice.organization_id = owner.id AND series.kind = 'invoice' AND sequence BETWEEN 1 AND series.last
        UNION
        SELECT sequence FROM billing_creditnote AS note
        WHERE note.organization_id = owner.id AND series.kind = 'credit_note' AND sequence BETWEEN 1 AND series.last
    ) AS used ON TRUE
    WHERE {OWNED.format(table="series")} GROUP BY series.id, owner.slug HAVING count(used.sequence) <> series.last
"""  # noqa: S608
CHECKS = {
    "invoice.lines": LINES,
    "invoice.exact_lines": PRECISE,
    "invoice.line": AMOUNTS,
    "invoice.exact_line": SHARES,
    "invoice.quantity": QUANTITIES,
    "invoice.usage": DAYS,
    "invoice.moved": MOVED,
    "invoice.total": TOTALS,
    "invoice.taxes": TAXES,
    "invoice.credited": CREDITED,
    "invoice.paid": PAID,
    "invoice.booked": BOOKED,
    "invoice.voided": VOIDED,
    "credit_note.lines": NOTES,
    "credit_note.booked": NOTES_BOOKED,
    "numbers.gapless": NUMBERS,
}

# What roll-ups have of days that are invoiced, and invoices don't: late usage that the next run puts on an invoice.
NOT_INVOICED = f"""
    WITH invoiced AS (
        SELECT each.customer_id, day, sum(each.price) AS price
        FROM billing_invoicedday AS each JOIN billing_invoice AS invoice ON invoice.id = invoice_id
        WHERE {OF_INVOICE} AND invoice.state <> 'void' GROUP BY 1, 2
    ), credited AS (
        SELECT customer_id, day, sum(price) AS price FROM (
            SELECT customer_id, day, price FROM billing_creditedday
            UNION ALL
            SELECT each.customer_id, day, price FROM billing_movedday AS each
            JOIN billing_invoice AS invoice ON invoice.id = invoice_id WHERE invoice.state <> 'void'
        ) AS taken GROUP BY 1, 2
    )
    SELECT invoice.customer_id, total.day, total.price, coalesce(invoiced.price, 0) + coalesce(credited.price, 0)
    FROM billing_invoice AS invoice JOIN usage_dailycustomer AS total
        ON total.customer_id = invoice.customer_id AND total.day >= period_start AND total.day < period_end
    LEFT JOIN invoiced ON invoiced.customer_id = total.customer_id AND invoiced.day = total.day
    LEFT JOIN credited ON credited.customer_id = total.customer_id AND credited.day = total.day
    WHERE {OF_INVOICE} AND invoice.kind = 'period' AND invoice.state IN ('open', 'paid', 'uncollectible')
        AND total.price <> coalesce(invoiced.price, 0) + coalesce(credited.price, 0)
    ORDER BY 2, 1
"""  # noqa: S608


def invoice_findings(organization_id: UUID | None) -> Iterator[Finding]:
    """None: of all organizations."""
    for check, query in CHECKS.items():
        yield from found_by(check, query, {"organization": organization_id})


def not_invoiced(organization_id: UUID | None) -> list[Finding]:
    """Days of final periods whose roll-ups changed since: no fault, the next billing run sees to them."""
    rows = rows_of(NOT_INVOICED, {"organization": organization_id})
    return [
        Finding("rollup.not_invoiced", f"customer {customer}, {day:%Y-%m-%d}", f"{price:f}", f"{had:f}")
        for customer, day, price, had in rows
    ]
