"""How long a billing run takes: a month of 1,000 customers, of 10,000,000 requests and of ten times as many.

    python -m pytest tests/benchmarks/billing_run.py -s

Invoices are built from roll-ups, so these are made as such: a row for each day, customer and model, with figures that
so many requests would have. The bar: 60 s for drafts that are final, memory that does not grow with customers.
"""

import resource
import time
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from apps.billing.invoicing.runs import billing_run
from apps.billing.models import Invoice, InvoicedDay, InvoiceLine, LedgerAccount
from apps.customers.models import Customer
from apps.ops.seed.traffic import MODELS
from tests.benchmarks.ship_rollup import postgres_cpu
from tests.billing.made import AFTER, a_price
from tests.cast import an_organization

DAYS = 31
BAR_S = 60
ROWS = """
INSERT INTO usage_dailytotal (
    organization_id, customer_id, proxy_key_id, provider, model, sold_as, day, first_at, last_at, requests,
    input_tokens, output_tokens, cost, price, {zeros}, latencies, first_token_times
)
SELECT %s, customer.id, customer.id, of.provider, of.model, of.model, at, at, at, %s,
    1000 * %s, 500 * %s, 0.0011 * %s, 0.001234567891 * %s, {noughts}, '{{}}', '{{}}'
FROM customers_customer AS customer, unnest(%s::text[], %s::text[]) AS of (provider, model),
    generate_series('2026-10-01'::timestamptz, '2026-10-31', '1 day') AS at
WHERE customer.organization_id = %s
"""
GIVEN = {"requests", "input_tokens", "output_tokens", "cost", "price"}


def make_rollups(organization, requests_each: int) -> None:
    """For each day, customer and model."""
    from apps.usage.measures import SUMS

    zeros = [name for name in SUMS if name not in GIVEN]
    sql = ROWS.format(zeros=", ".join(zeros), noughts=", ".join("0" for _ in zeros))
    providers, models = zip(*((model.provider, model.served) for model in MODELS), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(sql, [organization.pk, *[requests_each] * 5, list(providers), list(models), organization.pk])
        cursor.execute("ANALYZE usage_dailytotal")


def customers_of(organization, number: int) -> None:
    Customer.objects.bulk_create(
        Customer(organization=organization, name=f"Customer {each}", slug=f"customer-{each}") for each in range(number)
    )


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("requests", [10_000_000, 100_000_000])
def test_a_month_of_a_thousand_customers(requests):
    organization = an_organization(time_zone="UTC")
    for model in MODELS:
        a_price(model.served, provider=model.provider)
    customers_of(organization, 1000)
    each = requests // (1000 * DAYS * len(MODELS))
    make_rollups(organization, each)
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu_begun = time.process_time() + postgres_cpu()
    done = billing_run(organization, at=AFTER, month=date(2026, 10, 1), finalizes=True)
    took, grown = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    cpu = time.process_time() + postgres_cpu() - cpu_begun
    counts = f"{InvoiceLine.objects.count():,} lines, {InvoicedDay.objects.count():,} days"
    print(f"\n{requests:,} requests: {took:.1f} s, {cpu:.1f} s of CPU, memory +{grown / 1024:.0f} MB")
    print(f"{done.finalized} invoices, {counts}")
    assert (done.finalized, Invoice.objects.count()) == (1000, 1000)
    revenue = sum(Invoice.objects.values_list("total", flat=True))
    assert LedgerAccount.objects.get(kind="revenue").balance == revenue
    exact = 1000 * DAYS * len(MODELS) * each * Decimal("0.001234567891")
    assert abs(revenue - exact) <= 1000 * Decimal("0.005")
    assert cpu < BAR_S  # one after the other: with a free machine it is the time that the run takes
