"""Stripe, through its SDK. The API version is pinned: a newer one has changed the shape of what is answered before.

Money is asked for under an idempotency key made of our own id, so that a call that is made again after a crash or
a time-out charges nothing twice; and every object of ours says in its metadata which of our rows it is, so that
an event finds it, whichever comes first. Events only say where to look: how things stand is asked for.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from typing import Any

import stripe

from apps.billing.payments.base import (
    BadSignature,
    Declined,
    DisputeReading,
    Event,
    InvoiceReading,
    Method,
    Order,
    Payer,
    ProviderError,
    Reading,
    RefundReading,
    Started,
    State,
)
from apps.billing.payments.stripe_objects import (
    INVOICE,
    PAYMENT,
    REFUND,
    dispute_in,
    from_units,
    id_of,
    method_in,
    payment_of,
    reading_in,
    refund_in,
    subject_of,
    to_units,
)

API_VERSION = "2026-10-28.endive"
TIMEOUT_S = 20.0
RETRIES = 2  # by the SDK, under the same idempotency key


logger = logging.getLogger(__name__)
logging.getLogger("stripe").setLevel(logging.WARNING)  # below that it tells what is asked


class StripePayments:
    """An organization's account at Stripe."""

    name = "stripe"
    has_methods = True

    def __init__(self, secret_key: str, webhook_secret: str = "", api_base: str = "") -> None:
        self._webhook_secret = webhook_secret
        self._client = stripe.StripeClient(
            secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base} if api_base else {},
            max_network_retries=RETRIES,
            http_client=_http(),
        )

    def __repr__(self) -> str:
        return "<StripePayments>"

    # Payers and what they leave

    def create_customer(self, payer: Payer) -> str:
        fields = {"name": payer.name[:256], "metadata": {"tollgate_customer": payer.id}}
        if payer.email:
            fields["email"] = payer.email
        with _asking():
            made = self._client.v1.customers.create(fields, _once(f"customer:{payer.id}"))  # type: ignore[arg-type]
        return made.id

    def start_method(self, payer: Payer, return_url: str) -> str:
        params: dict[str, Any] = {
            "mode": "setup",
            "customer": payer.provider_id,
            "payment_method_types": ["card"],
            "success_url": return_url,
            "cancel_url": return_url,
        }
        with _asking():
            return self._client.v1.checkout.sessions.create(params).url or ""  # type: ignore[arg-type]

    def methods(self, payer_id: str) -> Sequence[Method]:
        with _asking():
            found = self._client.v1.payment_methods.list({"customer": payer_id, "type": "card", "limit": 100})
        return [method_in(each) for each in found.to_dict()["data"]]

    def remove_method(self, method_id: str) -> None:
        try:
            with _asking():
                self._client.v1.payment_methods.detach(method_id)
        except Declined as refusal:
            logger.info("payment method %s was not detached: %s", method_id, refusal)

    def set_default_method(self, payer_id: str, method_id: str) -> None:
        with _asking():
            self._client.v1.customers.update(payer_id, {"invoice_settings": {"default_payment_method": method_id}})

    # Payments

    def start_payment(self, order: Order) -> Started:
        """A Checkout session: the payer chooses how to pay on Stripe's page, and may leave the card there."""
        mark = {PAYMENT: order.id}
        item = {
            "quantity": 1,
            "price_data": {
                "currency": order.currency.lower(),
                "unit_amount": to_units(order.amount, order.currency),
                "product_data": {"name": order.description[:250]},
            },
        }
        params: dict[str, Any] = {
            "mode": "payment",
            "customer": order.payer.provider_id,
            "client_reference_id": order.id,
            "line_items": [item],
            "metadata": mark,
            "payment_intent_data": {"metadata": mark, "description": order.description[:500]},
            "saved_payment_method_options": {"payment_method_save": "enabled"},
            "success_url": order.return_url,
            "cancel_url": order.return_url,
        }
        with _asking():
            session = self._client.v1.checkout.sessions.create(params, _once(f"checkout:{order.id}"))  # type: ignore[arg-type]
        return Started(session.id, session.url or "")

    def charge(self, order: Order, method: Method) -> Reading:
        params: dict[str, Any] = {
            "amount": to_units(order.amount, order.currency),
            "currency": order.currency.lower(),
            "customer": order.payer.provider_id,
            "payment_method": method.provider_id,
            "payment_method_types": [method.kind],  # so that none is taken that would send the payer somewhere
            "confirm": True,
            "off_session": True,
            "metadata": {PAYMENT: order.id},
        }
        with _asking():
            made = self._client.v1.payment_intents.create(params, _once(f"charge:{order.id}"))  # type: ignore[arg-type]
        return self.read_payment(made.id)

    def read_payment(self, payment_id: str) -> Reading:
        with _asking():
            found = self._client.v1.payment_intents.retrieve(
                payment_id, {"expand": ["latest_charge", "payment_method"]}
            )
            intent = found.to_dict()
            refunds, disputes = self._refunds(intent), self._disputes(intent)
            invoice = "" if PAYMENT in (intent.get("metadata") or {}) else self._invoice_of(intent)
        return reading_in(intent, refunds, invoice, disputes)

    def read_checkout(self, checkout_id: str) -> tuple[str, Reading | None]:
        with _asking():
            session = self._client.v1.checkout.sessions.retrieve(checkout_id).to_dict()
        our_id = (session.get("metadata") or {}).get(PAYMENT, "")
        if intent_id := id_of(session.get("payment_intent")):
            return our_id, self.read_payment(intent_id)
        if session.get("status") == "open":
            return our_id, None
        is_free = session.get("payment_status") == "no_payment_required"
        return our_id, Reading(
            provider_id=session["id"],
            state=State.SUCCEEDED if is_free else State.FAILED,
            amount=from_units(session.get("amount_total") or 0, session.get("currency") or "usd"),
            currency=(session.get("currency") or "usd").upper(),
            our_id=our_id,
            error="" if is_free else "The checkout was left, or has expired.",
        )

    def refund(self, payment_id: str, amount: Decimal, currency: str, refund_id: str) -> RefundReading:
        params: dict[str, Any] = {
            "payment_intent": payment_id,
            "amount": to_units(amount, currency),
            "metadata": {REFUND: refund_id},
        }
        with _asking():
            made = self._client.v1.refunds.create(params, _once(f"refund:{refund_id}"))  # type: ignore[arg-type]
        return refund_in(made.to_dict(), currency)

    # Invoices

    def push_invoice(self, order: Order, *, number: str, is_charged: bool) -> InvoiceReading:
        params: dict[str, Any] = {
            "customer": order.payer.provider_id,
            "currency": order.currency.lower(),
            "collection_method": "charge_automatically" if is_charged else "send_invoice",
            "pending_invoice_items_behavior": "exclude",  # what else waits for the customer there is not of this one
            "description": order.description[:500],
            "metadata": {INVOICE: order.id},
        }
        if not is_charged:
            params["days_until_due"] = 30
        item: dict[str, Any] = {
            "customer": order.payer.provider_id,
            "currency": order.currency.lower(),
            "amount": to_units(order.amount, order.currency),
            "description": number,
        }
        invoices = self._client.v1.invoices
        with _asking():
            made = invoices.create(params, _once(f"invoice:{order.id}"))  # type: ignore[arg-type]
            item["invoice"] = made.id
            self._client.v1.invoice_items.create(item, _once(f"invoice-item:{order.id}"))  # type: ignore[arg-type]
            invoices.finalize_invoice(made.id, {"auto_advance": True}, _once(f"invoice-final:{order.id}"))  # type: ignore[arg-type]
        if is_charged:
            try:
                with _asking():
                    invoices.pay(made.id, {"off_session": True})
            except Declined as refusal:
                logger.info("pushed invoice %s was not paid at once: %s", made.id, refusal)
        return self.read_invoice(made.id)

    def read_invoice(self, invoice_id: str) -> InvoiceReading:
        with _asking():
            found = self._client.v1.invoices.retrieve(invoice_id, {"expand": ["payments"]}).to_dict()
        return InvoiceReading(
            provider_id=found["id"],
            is_paid=found.get("status") == "paid",
            our_id=(found.get("metadata") or {}).get(INVOICE, ""),
            payment_id=payment_of(found),
            url=found.get("hosted_invoice_url") or "",
            error=((found.get("last_finalization_error") or {}).get("message") or "")[:300],
        )

    # What it tells

    def read_event(self, body: bytes, signature: str) -> Event:
        """Verified: the SDK refuses an empty secret, an older signature than five minutes, and a wrong one."""
        try:
            stripe.WebhookSignature.verify_header(
                body, signature, self._webhook_secret, stripe.Webhook.DEFAULT_TOLERANCE
            )
            told = json.loads(body)
            told["data"]["object"].pop("client_secret", None)  # who has it can act for the payer
            return Event(told["id"], told["type"], *subject_of(told["type"], told["data"]["object"]), told)
        except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError) as error:
            raise BadSignature("Not signed by Stripe for this organization.") from error

    def check(self) -> None:
        with _asking():
            self._client.v1.balance.retrieve()

    def _refunds(self, intent: Mapping[str, Any]) -> list[RefundReading]:
        charge = intent.get("latest_charge")
        if not isinstance(charge, Mapping) or not charge.get("amount_refunded"):
            return []
        found = self._client.v1.refunds.list({"payment_intent": intent["id"], "limit": 100}).to_dict()
        return [refund_in(each, intent["currency"].upper()) for each in found["data"]]

    def _disputes(self, intent: Mapping[str, Any]) -> list[DisputeReading]:
        charge = intent.get("latest_charge")
        if not isinstance(charge, Mapping) or not charge.get("disputed"):
            return []
        found = self._client.v1.disputes.list({"payment_intent": intent["id"], "limit": 100}).to_dict()
        return [dispute_in(each) for each in found["data"]]

    def _invoice_of(self, intent: Mapping[str, Any]) -> str:
        """The pushed invoice that a payment without a mark of ours is for."""
        if "invoice" in intent:
            return id_of(intent["invoice"])
        about: dict[str, Any] = {"payment": {"type": "payment_intent", "payment_intent": intent["id"]}}
        found = self._client.v1.invoice_payments.list(about).to_dict()["data"]  # type: ignore[arg-type]
        return id_of(found[0]["invoice"]) if found else ""


@lru_cache(maxsize=1)
def _http() -> stripe.RequestsClient:
    """Connections for all organizations; each call has its own key."""
    return stripe.RequestsClient(timeout=TIMEOUT_S)


@contextmanager
def _asking() -> Iterator[None]:
    """What the SDK raises, as what `base` says. No message of these has a key in it."""
    try:
        yield
    except stripe.CardError as error:
        raise Declined(error.user_message or "The payment was declined.", _intent_in(error)) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise ProviderError("Stripe does not take our key: see Billing, Payments, Settings.") from error
    except stripe.InvalidRequestError as error:
        raise Declined(error.user_message or "Stripe refused that.") from error
    except stripe.StripeError as error:
        raise ProviderError(f"Stripe could not be asked ({type(error).__name__}).") from error


def _once(key: str) -> dict[str, str]:
    return {"idempotency_key": f"tollgate:{key}"}


def _intent_in(error: stripe.StripeError) -> str:
    told = error.json_body if isinstance(error.json_body, dict) else {}
    return id_of((told.get("error") or {}).get("payment_intent"))
