"""Stripe's objects, read: what is told as JSON, as `base` says it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.billing.money import minor_units, rounded
from apps.billing.payments.base import DisputeReading, DisputeState, Method, Reading, RefundReading, State, Subject

PAYMENT, REFUND, INVOICE = "tollgate_payment", "tollgate_refund", "tollgate_invoice"  # in metadata

# What Stripe counts in other units than ISO 4217: no ariary or kroná is charged in parts, and yet two are told.
UNITS = {"ISK": 2, "UGX": 2, "MGA": 0}
TENTHS_ONLY = 3  # of dinars, the last of three places is always 0

DISPUTES = {
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
    "warning_closed": DisputeState.WON,
    "prevented": DisputeState.WON,
}
DONE = {"succeeded": State.SUCCEEDED, "canceled": State.FAILED, "requires_payment_method": State.FAILED}


def to_units(amount: Decimal, currency: str) -> int:
    """In the units that Stripe counts the currency in."""
    places = UNITS.get(currency, minor_units(currency))
    scaled = int(rounded(amount.scaleb(places), 0))
    return scaled // 10 * 10 if places == TENTHS_ONLY else scaled


def from_units(units: int, currency: str) -> Decimal:
    """The amount that Stripe tells."""
    code = currency.upper()
    return Decimal(units).scaleb(-UNITS.get(code, minor_units(code)))


def reading_in(
    intent: Mapping[str, Any],
    refunds: Sequence[RefundReading],
    invoice: str,
    disputes: Sequence[DisputeReading] = (),
) -> Reading:
    """A PaymentIntent, with its charge and payment method expanded."""
    currency = intent["currency"].upper()
    failure = intent.get("last_payment_error") or {}
    state = DONE.get(intent["status"], State.PENDING)
    if state is State.FAILED and intent["status"] != "canceled" and not failure:
        state = State.PENDING  # nobody has tried to pay yet
    received = intent.get("amount_received") if state is State.SUCCEEDED else None
    return Reading(
        provider_id=intent["id"],
        state=state,
        amount=from_units(received or intent["amount"], currency),
        currency=currency,
        our_id=(intent.get("metadata") or {}).get(PAYMENT, ""),
        invoice_id=invoice,
        payer_id=id_of(intent.get("customer")),
        method=method_name(intent),
        error=(failure.get("message") or "")[:300],
        refunds=refunds,
        disputes=disputes,
    )


def refund_in(told: Mapping[str, Any], currency: str) -> RefundReading:
    """A refund, in the currency of its payment."""
    states = {"succeeded": State.SUCCEEDED, "failed": State.FAILED, "canceled": State.FAILED}
    return RefundReading(
        provider_id=told["id"],
        amount=from_units(told["amount"], currency),
        state=states.get(told.get("status") or "", State.PENDING),
        our_id=(told.get("metadata") or {}).get(REFUND, ""),
        error=str(told.get("failure_reason") or ""),
    )


def dispute_in(told: Mapping[str, Any]) -> DisputeReading:
    """A dispute, in the currency of its payment. An inquiry that nothing came of is won."""
    status = told.get("status") or ""
    state = DISPUTES.get(status, DisputeState.INQUIRY if status.startswith("warning") else DisputeState.OPEN)
    due = (told.get("evidence_details") or {}).get("due_by")
    return DisputeReading(
        provider_id=told["id"],
        amount=from_units(told["amount"], told["currency"]),
        state=state,
        reason=str(told.get("reason") or "").replace("_", " "),
        answer_by=datetime.fromtimestamp(due, UTC) if due else None,
    )


def payment_of(invoice: Mapping[str, Any]) -> str:
    """The payment that paid it: named by the invoice itself, or, since 2025, in a list beside it."""
    for each in (invoice.get("payments") or {}).get("data") or ():
        if each.get("status") == "paid":
            return id_of((each.get("payment") or {}).get("payment_intent"))
    return id_of(invoice.get("payment_intent"))


def method_in(told: Mapping[str, Any]) -> Method:
    """A payment method, as it is named to its owner."""
    return Method(told["id"], told["type"], label_of(told))


def subject_of(kind: str, about: Mapping[str, Any]) -> tuple[Subject, str]:
    """Which of the provider's objects to look at; of what we have nothing to do with, nothing."""
    if kind.startswith("checkout.session."):
        if about.get("mode") == "setup":
            return Subject.METHODS, id_of(about.get("customer"))
        return Subject.CHECKOUT, about["id"]
    if kind.startswith("payment_intent."):
        return Subject.PAYMENT, about["id"]
    if kind.startswith(("charge.", "refund.")) and about.get("payment_intent"):
        return Subject.PAYMENT, id_of(about["payment_intent"])
    if kind in ("invoice.paid", "invoice.payment_succeeded", "invoice.payment_failed"):
        return Subject.INVOICE, about["id"]
    if kind.startswith(("payment_method.", "setup_intent.")):
        return Subject.METHODS, id_of(about.get("customer"))
    return Subject.NOTHING, ""


def id_of(value: Any) -> str:
    """Of what is expanded, or only named, or not there."""
    return str(value.get("id") or "") if isinstance(value, Mapping) else str(value or "")


def method_name(intent: Mapping[str, Any]) -> str:
    """What paid; "" where it is not told."""
    told = intent.get("payment_method")
    return label_of(told) if isinstance(told, Mapping) and "type" in told else ""


def label_of(told: Mapping[str, Any]) -> str:
    """Visa …4242."""
    kind = told["type"]
    about = told.get(kind) or {}
    brand = str(about.get("display_brand") or about.get("brand") or kind).replace("_", " ").title()
    return f"{brand} …{about['last4']}"[:80] if about.get("last4") else brand[:80]
