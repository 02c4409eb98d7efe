"""A run of ten times the customers needs no more memory: measured where it counts, in a process of its own."""

import json
import os
import subprocess
import sys

import pytest
from django.db import connection

from apps.accounts.models import Organization
from apps.billing.models import Invoice
from apps.customers.models import Customer
from apps.usage.measures import SUMS
from tests.billing.made import AFTER
from tests.cast import an_organization
from tests.faults.size import IS_LONG
from tests.usage.conftest import database_url

FEW, MANY = 200, 2_000
MOST_MB = 15  # more for ten times the customers; if they were kept, their invoices alone would be twice that

MEASURED = """
import json, resource, django
django.setup()
from datetime import datetime
from django.conf import settings
from apps.accounts.models import Organization
from apps.billing.invoicing.runs import billing_run
settings.DEBUG = False  # which keeps queries
organization = Organization.objects.get(slug="{slug}")
done = billing_run(organization, at=datetime.fromisoformat("{at}"), finalizes=True)
print(json.dumps([done.finalized, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""
ROWS = """
INSERT INTO usage_dailytotal (
    organization_id, customer_id, proxy_key_id, provider, model, sold_as, day, first_at, last_at, requests, price,
    {zeros}, latencies, first_token_times
)
SELECT customer.organization_id, customer.id, customer.id, 'openai', of.model, of.model, at, at, at, 10, 0.123456789012,
    {noughts}, '{{}}', '{{}}'
FROM customers_customer AS customer, unnest(ARRAY['gpt-4o', 'gpt-4o-mini', 'mystery']) AS of (model),
    generate_series('2026-10-01'::timestamptz, '2026-10-03', '1 day') AS at
"""


def of_customers(number: int) -> Organization:
    organization = an_organization(f"With {number}")
    Customer.objects.bulk_create(
        Customer(organization=organization, name=f"Customer {each}", slug=f"customer-{each}") for each in range(number)
    )
    return organization


def peak_of(organization: Organization) -> tuple[int, float]:
    """How many invoices were made final, and the most memory that it took, in MB."""
    code = MEASURED.format(slug=organization.slug, at=AFTER.isoformat())
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"DATABASE_URL": database_url()},
        timeout=400,
        check=True,
        capture_output=True,
    )
    finalized, kilobytes = json.loads(done.stdout)
    return finalized, kilobytes / 1024


@pytest.mark.skipif(not IS_LONG, reason="make faults")
@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.django_db(transaction=True)
def test_ten_times_the_customers_need_no_more_memory():
    few, many = of_customers(FEW), of_customers(MANY)
    zeros = [name for name in SUMS if name not in ("requests", "price")]
    with connection.cursor() as cursor:
        cursor.execute(ROWS.format(zeros=", ".join(zeros), noughts=", ".join("0" for _ in zeros)))
    (made, before), (made_of_many, after) = peak_of(few), peak_of(many)
    assert (made, made_of_many, Invoice.objects.count()) == (FEW, MANY, FEW + MANY)
    print(f"\n{FEW} customers: {before:.0f} MB; {MANY}: {after:.0f} MB")
    assert after - before < MOST_MB
