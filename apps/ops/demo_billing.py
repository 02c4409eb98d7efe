"""Billing in the demo: a seller, a plan with a fee, a prepaid customer. Last month's invoices come by themselves.

They are built from roll-ups, which workers make of the demo's history once they run: so a run is asked for a little
later, and beat would do it within the hour anyway.
"""

from datetime import datetime
from decimal import Decimal

from celery import current_app
from django.db import transaction

from apps.accounts.models import Organization, User
from apps.billing.models import CreditLot, Wallet
from apps.billing.periods import day_of
from apps.billing.services.lots import grant_credit
from apps.billing.services.plans import add_plan
from apps.billing.services.sellers import update_seller
from apps.billing.services.subscriptions import subscribe
from apps.billing.services.wallets import open_wallet
from apps.usage.queries.periods import previous_month

ROLLED_UP_AFTER_S = 120
SELLER = {
    "legal_name": "Acme AI Ltd",
    "address": "1 Infinite Road\nDublin 2\nD02 X285",
    "country": "IE",
    "email": "billing@acme.example",
    "payment_terms": "Bank transfer to Example Bank, IBAN IE12 BOFI 9000 0112 3456 78, with the invoice’s number.",
}


def add_demo_billing(acme: Organization, *, by: User, at: datetime) -> None:
    """Globex is on a plan since the beginning of last month, Umbrella prepays, the others pay for what they use."""
    update_seller(acme, by=by, **SELLER)
    team = add_plan(
        acme, name="Team", description="A monthly fee, support within a day.", fee=Decimal(49), by=by, at=at
    )
    first = previous_month(day_of(at, acme.time_zone))
    subscribe(acme.customers.get(slug="globex"), team, by=by, at=at, starts_on=first)
    wallet = open_wallet(acme.customers.get(slug="umbrella"), by=by, at=at, settlement=Wallet.Settlement.PREPAID)
    grant_credit(wallet, Decimal(20), key="demo", at=at, by=by, source=CreditLot.Source.GRANT, note="To try it out")
    transaction.on_commit(_ask_for_invoices, robust=True)


def _ask_for_invoices() -> None:
    current_app.send_task("billing.build_invoices", countdown=ROLLED_UP_AFTER_S)
