"""Something of each kind that the addresses of billing in the API name."""

from collections.abc import Mapping
from decimal import Decimal

from django.utils import timezone

from apps.billing.models import Coupon, TaxRate
from apps.billing.services.coupons import add_coupon, apply_coupon
from apps.billing.services.subscriptions import subscribe
from apps.billing.services.top_up_rules import set_auto_top_up
from apps.billing.services.vouchers import make_vouchers
from apps.billing.services.wallets import open_wallet
from apps.customers.models import Customer
from apps.pricing.rate_cards import set_own_rates
from tests.billing.making import a_credit_note, an_invoice
from tests.billing.payments.objects import of_payments
from tests.billing.plans import a_plan

BODIES = {  # of the addresses that end so: what would be right
    "grant": {"amount": "5", "note": "Welcome"},
    "take": {"amount": "5", "reason": "By mistake"},
    "top-up": {"amount": "5", "reference": "T-1"},
    "redeem": {"code": "7K2MQ"},
    "buy": {"credit": "5", "is_transfer": True},
    "pay": {"is_transfer": True},
    "auto-top-up": {"threshold": "1", "amount": "5"},
    "void": {"reason": "Wrong"},
    "write-off": {"reason": "Wrong"},
    "mark-paid": {"reference": "T-2"},
    "credit": {"settlement": "offset", "reason": "Down"},
    "refunds": {"amount": "1", "reason": "By mistake"},
    "receive": {"amount": "5"},
    "rates": {"rules": []},
    "versions": {},
    "rate-card": {"card": None},
}


def of_billing(customer: Customer) -> Mapping[str, object]:
    """All of it the customer's, or its operator's; the customer has a wallet, a plan, a coupon and rates of its own."""
    now, organization = timezone.now(), customer.organization
    wallet = open_wallet(customer, by=None, at=now)
    set_auto_top_up(wallet, is_on=False, threshold=Decimal(1), amount=Decimal(5), monthly_limit=None, by=None, at=now)
    set_own_rates(customer, rules=[], effective_from=now, by=None)
    invoice = an_invoice(customer)
    [(voucher, _code)] = make_vouchers(organization, Decimal(5), by=None, at=now)
    code = f"CODE-{Coupon.objects.count()}"
    coupon = add_coupon(organization, code=code, percent=Decimal(10), by=None, at=now)
    apply_coupon(customer, coupon, by=None, at=now)
    subscription = customer.subscriptions.first() or subscribe(customer, a_plan(organization), by=None, at=now)
    rate = TaxRate.objects.create(organization=organization, name=code, percent=20)
    return {
        "invoice_id": invoice.pk,
        "line_id": invoice.lines.get().pk,
        "note_id": a_credit_note(invoice).pk,
        "voucher_id": voucher.pk,
        "coupon_id": coupon.pk,
        "plan_id": subscription.version.plan_id,
        "subscription_id": subscription.pk,
        "rate_id": rate.pk,
        "number": 1,
        **of_payments(customer),
    }
