"""Bank transfers and everything else that no provider tells us of: a person says that money came in."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NoReturn

from apps.billing.errors import NotPossible
from apps.billing.models.payments import MANUAL
from apps.billing.payments.base import (
    BadSignature,
    Event,
    InvoiceReading,
    Method,
    Order,
    Payer,
    Reading,
    RefundReading,
    Started,
    State,
)


class ManualPayments:
    """Nothing to ask and nothing to wait for: what is to be paid has a reference, and goes to the bank account."""

    name = MANUAL
    has_methods = False

    def create_customer(self, payer: Payer) -> str:
        return ""

    def start_payment(self, order: Order) -> Started:
        """No URL: the page says where to send the money, and with what reference."""
        return Started(reference_of(order.id))

    def refund(self, payment_id: str, amount: Decimal, currency: str, refund_id: str) -> RefundReading:
        """The operator sends the money back itself; that it says so is all we know."""
        return RefundReading(refund_id, amount, State.SUCCEEDED, our_id=refund_id)

    def check(self) -> None:
        """Always fine."""

    def start_method(self, payer: Payer, return_url: str) -> str:
        self._refuse()

    def methods(self, payer_id: str) -> Sequence[Method]:
        return ()

    def remove_method(self, method_id: str) -> None:
        self._refuse()

    def set_default_method(self, payer_id: str, method_id: str) -> None:
        self._refuse()

    def charge(self, order: Order, method: Method) -> Reading:
        self._refuse()

    def read_payment(self, payment_id: str) -> Reading:
        self._refuse()

    def read_checkout(self, checkout_id: str) -> tuple[str, Reading | None]:
        self._refuse()

    def push_invoice(self, order: Order, *, number: str, is_charged: bool) -> InvoiceReading:
        self._refuse()

    def read_invoice(self, invoice_id: str) -> InvoiceReading:
        self._refuse()

    def read_event(self, body: bytes, signature: str) -> Event:
        raise BadSignature("Nobody tells of bank transfers.")

    def _refuse(self) -> NoReturn:
        raise NotPossible("A payment provider has to be set up for that, under Billing, Payments, Settings.")


def reference_of(payment_id: str) -> str:
    """What the payer writes on the transfer: short, and without letters that are read for others.

    Of a random 62 bits of the payment's id: the first are a time, and the same for many.
    """
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's
    number = int(payment_id.replace("-", "")[-15:], 16) % 32**8
    digits = ""
    for _ in range(8):
        number, digit = divmod(number, 32)
        digits = alphabet[digit] + digits
    return f"TG-{digits[:4]}-{digits[4:]}"
