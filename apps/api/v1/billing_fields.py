"""Billing as the API tells it. Amounts of documents have their currency's places; credit is in USD, exactly."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.v1.fields import Amount, Instant, Told
from apps.billing.models import LedgerTransaction, Wallet

MONEY = "In the currency beside it, such as `119.00`."
ID, OTHER_ID = "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11", "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a12"


def _money(**options: Any) -> serializers.CharField:
    return serializers.CharField(help_text=MONEY, **options)


class InvoiceSerializer(Told):
    """An invoice. A draft is seen by the operator alone, and has no number."""

    id = serializers.UUIDField()
    number = serializers.CharField(allow_null=True)
    kind = serializers.CharField(help_text="`period`, `top_up` or `one_off`.")
    state = serializers.ChoiceField(choices=["draft", "open", "paid", "void", "uncollectible"])
    customer = serializers.UUIDField()
    currency = serializers.CharField()
    subtotal = _money()
    discount = _money()
    tax = _money()
    total = _money()
    paid = _money()
    credited = _money()
    due = _money()
    period_start = Instant(allow_null=True)
    period_end = Instant(allow_null=True, help_text="The first instant that is not part of it.")
    issued_on = serializers.DateField(allow_null=True)
    due_on = serializers.DateField(allow_null=True)
    created_at = Instant()
    finalized_at = Instant(allow_null=True)
    sent_at = Instant(allow_null=True)


class InvoiceLineSerializer(Told):
    """A line: its exact amount, and its share of the subtotal that was rounded once."""

    id = serializers.UUIDField()
    position = serializers.IntegerField()
    kind = serializers.CharField()
    description = serializers.CharField()
    model = serializers.CharField(allow_null=True, help_text="As it is sold.")
    token_kind = serializers.CharField(allow_null=True)
    quantity = serializers.CharField(allow_null=True)
    unit = serializers.CharField(allow_null=True)
    unit_price = serializers.CharField(allow_null=True)
    precise_amount = serializers.CharField()
    amount = _money()
    tax_percent = serializers.CharField()
    period_start = Instant(allow_null=True)
    period_end = Instant(allow_null=True)


class InvoiceTaxSerializer(Told):
    """A tax, at one rate."""

    name = serializers.CharField()
    percent = serializers.CharField()
    is_inclusive = serializers.BooleanField(help_text="Contained in prices.")
    base = _money()
    amount = _money()


class InvoiceDetailSerializer(InvoiceSerializer):
    """With all that stands on it."""

    per_dollar = serializers.CharField(help_text="The exchange rate that usage, priced in USD, was converted at.")
    memo = serializers.CharField()
    seller = serializers.DictField(child=serializers.CharField(allow_blank=True), help_text="As it was then.")
    buyer = serializers.DictField(child=serializers.CharField(allow_blank=True), help_text="As it was then.")
    lines = InvoiceLineSerializer(many=True)
    taxes = InvoiceTaxSerializer(many=True)


class CreditNoteLineSerializer(Told):
    """What is taken back, without tax."""

    description = serializers.CharField()
    amount = _money()


class CreditNoteSerializer(Told):
    """Takes back part of an invoice, or all of it."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    invoice = serializers.UUIDField()
    invoice_number = serializers.CharField()
    customer = serializers.UUIDField()
    currency = serializers.CharField()
    issued_on = serializers.DateField()
    reason = serializers.CharField()
    settlement = serializers.ChoiceField(choices=["offset", "credit", "refund"])
    subtotal = _money()
    tax = _money()
    total = _money()
    created_at = Instant()
    lines = CreditNoteLineSerializer(many=True)


class WalletSerializer(Told):
    """A customer's prepaid credit, in USD."""

    OPERATORS = ("credit_line",)

    id = serializers.UUIDField()
    customer = serializers.UUIDField(source="customer_id")
    settlement = serializers.ChoiceField(choices=Wallet.Settlement.values)
    balance = Amount(help_text="Below zero: more was used than was paid.")
    overdrawn = Amount()
    credit_line = Amount(required=False, help_text="Operators. Prepaid calls go through until so far below zero.")
    low_balance = Amount(allow_null=True, help_text="Below it, there is a warning.")
    created_at = Instant()


class CreditLotSerializer(Told):
    """Credit that was got at one time."""

    id = serializers.UUIDField()
    source = serializers.CharField()
    category = serializers.SerializerMethodField(help_text="`promotional` is used before `paid`.")
    priority = serializers.IntegerField(help_text="0 is used first.")
    amount = Amount()
    remaining = Amount()
    effective_at = Instant()
    expires_at = Instant(allow_null=True, help_text="The first instant without it; null: never.")
    note = serializers.CharField(help_text="What it is for.")
    created_at = Instant()

    @extend_schema_field({"type": "string", "enum": ["promotional", "paid"]})
    def get_category(self, lot: Any) -> str:
        return "paid" if lot.category else "promotional"


class LedgerEntrySerializer(Told):
    """What a transaction added to an account; below zero: took from it."""

    account = serializers.CharField(source="account.kind")
    currency = serializers.CharField(source="account.currency")
    amount = Amount()


class LedgerTransactionSerializer(Told):
    """One thing that happened to money. A customer's token is shown the entries of that customer's accounts."""

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="`top_up`, `usage`, `invoice`, `payment`, `credit_note`, …")
    customer = serializers.UUIDField(source="customer_id", allow_null=True)
    at = Instant()
    created_at = Instant(help_text="When it was booked.")
    number = serializers.SerializerMethodField(help_text="Of the document that it is about; null: of none.")
    entries = LedgerEntrySerializer(many=True, source="shown_entries")

    @extend_schema_field({"type": ["string", "null"]})
    def get_number(self, transaction: LedgerTransaction) -> str | None:
        number = transaction.source.get("number")
        return str(number) if number else None


class PlanTermsSerializer(Told):
    """The terms of a plan as they were at one time: they are never edited."""

    OPERATORS = ("rate_card",)

    number = serializers.IntegerField()
    currency = serializers.CharField()
    interval = serializers.CharField()
    alignment = serializers.CharField()
    fee = Amount()
    fee_due = serializers.CharField()
    settlement = serializers.CharField()
    allowance = Amount(help_text="Usage that is included, as credit at the start of each period.")
    allowance_rolls_over = serializers.BooleanField()
    allowances = serializers.ListField(child=serializers.DictField())
    charges = serializers.ListField(child=serializers.DictField())
    minimum = Amount()
    discount_percent = Amount()
    trial_days = serializers.IntegerField()
    rate_card = serializers.UUIDField(
        source="rate_card_id", allow_null=True, required=False, help_text="Operators. By which requests are priced."
    )


class PlanSerializer(Told):
    """What the organization offers, with its newest terms."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()
    description = serializers.CharField()
    retired_at = Instant(allow_null=True)
    created_at = Instant()
    terms = PlanTermsSerializer(allow_null=True, source="newest")


class SubscriptionSerializer(Told):
    """A customer on a plan, from an instant to another."""

    id = serializers.UUIDField()
    customer = serializers.UUIDField(source="customer_id")
    plan = serializers.UUIDField(source="version.plan_id")
    plan_name = serializers.CharField(source="version.plan.name")
    terms = PlanTermsSerializer(source="version")
    starts_at = Instant()
    ends_at = Instant(allow_null=True, help_text="The first instant without it; null: open.")
    anchor_on = serializers.DateField(help_text="The day that periods are counted from.")
    time_zone = serializers.CharField()
    trial_ends_at = Instant(allow_null=True)
    created_at = Instant()


INVOICE = {
    "id": ID, "number": "INV-00042", "kind": "period", "state": "open", "customer": OTHER_ID, "currency": "EUR",
    "subtotal": "100.00", "discount": "0.00", "tax": "19.00", "total": "119.00", "paid": "0.00", "credited": "0.00",
    "due": "119.00", "period_start": "2026-03-01T00:00:00Z", "period_end": "2026-04-01T00:00:00Z",
    "issued_on": "2026-04-02", "due_on": "2026-05-02", "created_at": "2026-04-01T00:10:00Z",
    "finalized_at": "2026-04-02T00:10:00Z", "sent_at": "2026-04-02T00:11:00Z",
}  # fmt: skip
LINE = {
    "id": OTHER_ID, "position": 1, "kind": "usage", "description": "gpt-4o · input", "model": "gpt-4o",
    "token_kind": "input", "quantity": "40", "unit": "1M tokens", "unit_price": "2.5", "precise_amount": "100",
    "amount": "100.00", "tax_percent": "19", "period_start": "2026-03-01T00:00:00Z",
    "period_end": "2026-04-01T00:00:00Z",
}  # fmt: skip
INVOICE_DETAIL = INVOICE | {
    "per_dollar": "0.92", "memo": "", "seller": {"legal_name": "Acme GmbH"}, "buyer": {"legal_name": "Globex S.A."},
    "lines": [LINE],
    "taxes": [{"name": "VAT", "percent": "19", "is_inclusive": False, "base": "100.00", "amount": "19.00"}],
}  # fmt: skip
CREDIT_NOTE = {
    "id": ID, "number": "CN-00007", "invoice": OTHER_ID, "invoice_number": "INV-00042", "customer": OTHER_ID,
    "currency": "EUR", "issued_on": "2026-04-12", "reason": "Usage was rated anew", "settlement": "offset",
    "subtotal": "10.00", "tax": "1.90", "total": "11.90", "created_at": "2026-04-12T08:00:00Z",
    "lines": [{"description": "gpt-4o · input", "amount": "10.00"}],
}  # fmt: skip
WALLET = {
    "id": ID, "customer": OTHER_ID, "settlement": "prepaid", "balance": "42.5", "overdrawn": "0",
    "credit_line": "0", "low_balance": "10", "created_at": "2026-03-01T09:00:00Z",
}  # fmt: skip
LOT = {
    "id": ID, "source": "top_up", "category": "paid", "priority": 50, "amount": "50", "remaining": "42.5",
    "effective_at": "2026-03-01T09:00:00Z", "expires_at": None, "note": "",
    "created_at": "2026-03-01T09:00:00Z",
}  # fmt: skip
GIVEN = LOT | {
    "source": "grant", "category": "promotional", "amount": "20", "remaining": "20", "note": "Welcome",
    "expires_at": "2030-01-01T00:00:00Z",
}  # fmt: skip
TRANSACTION = {
    "id": ID, "kind": "invoice", "customer": OTHER_ID, "at": "2026-04-02T00:10:00Z",
    "created_at": "2026-04-02T00:10:00Z", "number": "INV-00042",
    "entries": [{"account": "receivable", "currency": "EUR", "amount": "-119"}],
}  # fmt: skip
TERMS = {
    "number": 1, "currency": "USD", "interval": "month", "alignment": "calendar", "fee": "99", "fee_due": "advance",
    "settlement": "postpaid", "allowance": "0", "allowance_rolls_over": False, "allowances": [], "charges": [],
    "minimum": "0", "discount_percent": "0", "trial_days": 0, "rate_card": None,
}  # fmt: skip
PLAN = {
    "id": ID, "name": "Pro", "slug": "pro", "description": "", "retired_at": None,
    "created_at": "2026-03-01T09:00:00Z", "terms": TERMS,
}  # fmt: skip
SUBSCRIPTION = {
    "id": ID, "customer": OTHER_ID, "plan": ID, "plan_name": "Pro", "terms": TERMS,
    "starts_at": "2026-03-01T00:00:00Z", "ends_at": None, "anchor_on": "2026-03-01", "time_zone": "UTC",
    "trial_ends_at": None, "created_at": "2026-03-01T09:00:00Z",
}  # fmt: skip
