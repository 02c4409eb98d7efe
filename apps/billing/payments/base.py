"""What a payment provider does for us. Adding one is copying one of the files beside this one.

Plain values in, plain values out: a provider knows none of our rows, and writes none. What it answers is put
down by `services/payments.py`. Amounts are decimals in whole minor units of their currency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Payer:
    """A customer, as the provider is told of it."""

    id: str  # ours
    name: str
    email: str
    provider_id: str = ""  # the provider's; "": it knows it not yet


@dataclass(frozen=True)
class Order:
    """What is to be paid. `id` is our payment: asked twice with the same one, a provider charges once."""

    id: str
    amount: Decimal
    currency: str
    description: str
    payer: Payer
    return_url: str = ""  # where the payer comes back to


@dataclass(frozen=True)
class Started:
    """A payment that the payer has to do something for: follow `url`."""

    provider_id: str
    url: str = ""


@dataclass(frozen=True)
class RefundReading:
    provider_id: str
    amount: Decimal
    state: State = State.SUCCEEDED
    our_id: str = ""  # the refund of ours that it is; "": made at the provider
    error: str = ""


class DisputeState(StrEnum):
    INQUIRY = "inquiry"  # the bank asks, and has taken nothing back
    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True)
class DisputeReading:
    """Of a payment, in its currency."""

    provider_id: str
    amount: Decimal
    state: DisputeState
    reason: str = ""
    answer_by: datetime | None = None


@dataclass(frozen=True)
class Reading:
    """A payment as the provider has it now."""

    provider_id: str
    state: State
    amount: Decimal  # what came in, or is to come in
    currency: str
    our_id: str = ""  # the payment of ours that it is
    invoice_id: str = ""  # the provider's invoice that it is for
    payer_id: str = ""
    method: str = ""  # "Visa …4242"
    error: str = ""
    refunds: Sequence[RefundReading] = ()
    disputes: Sequence[DisputeReading] = ()


@dataclass(frozen=True)
class InvoiceReading:
    """An invoice that was pushed, as the provider has it now."""

    provider_id: str
    is_paid: bool
    our_id: str = ""
    payment_id: str = ""  # the provider's
    url: str = ""  # where it can be paid
    error: str = ""


@dataclass(frozen=True)
class Method:
    """A card or the like that the payer left with the provider."""

    provider_id: str
    kind: str
    label: str


class Subject(StrEnum):
    """What an event is about."""

    PAYMENT = "payment"
    CHECKOUT = "checkout"
    INVOICE = "invoice"
    METHODS = "methods"
    NOTHING = ""  # of ours


@dataclass(frozen=True)
class Event:
    """Something happened at the provider. It says where to look; how things stand is asked for."""

    id: str
    kind: str
    subject: Subject
    subject_id: str
    payload: Mapping[str, object] = field(default_factory=dict)


class ProviderError(Exception):
    """The provider could not be asked, or its answer makes no sense: nobody knows whether it was done. Try again."""


class Declined(Exception):
    """The provider said no, and nothing was charged. The text is for whoever wanted to pay."""

    def __init__(self, message: str, provider_id: str = "") -> None:
        super().__init__(message)
        self.provider_id = provider_id


class BadSignature(Exception):
    """Not from the provider, or not for us."""


class PaymentProvider(Protocol):
    """Whoever takes payments. All but `start_payment` may raise ProviderError; what it cannot do, NotPossible."""

    name: str
    has_methods: bool  # payers can leave a card with it, which is charged without them

    def create_customer(self, payer: Payer) -> str:
        """Its id for the payer; asked twice, the same one."""

    def start_payment(self, order: Order) -> Started:
        """Have the payer pay. Raises Declined, ProviderError."""

    def start_method(self, payer: Payer, return_url: str) -> str:
        """A URL where the payer leaves a card to be charged later."""

    def methods(self, payer_id: str) -> Sequence[Method]:
        """What it left there."""

    def remove_method(self, method_id: str) -> None:
        """Forget it; what is gone already is gone."""

    def set_default_method(self, payer_id: str, method_id: str) -> None:
        """Charge this one for invoices that were pushed."""

    def charge(self, order: Order, method: Method) -> Reading:
        """Charge a stored method without the payer. Raises Declined."""

    def refund(self, payment_id: str, amount: Decimal, currency: str, refund_id: str) -> RefundReading:
        """Pay back, once a `refund_id`. Raises Declined."""

    def read_payment(self, payment_id: str) -> Reading:
        """How a payment stands now."""

    def read_checkout(self, checkout_id: str) -> tuple[str, Reading | None]:
        """Of what `start_payment` began: our payment's id, and the payment, once there is one."""

    def push_invoice(self, order: Order, *, number: str, is_charged: bool) -> InvoiceReading:
        """Have the provider collect an invoice of ours; is_charged: from the default method, now."""

    def read_invoice(self, invoice_id: str) -> InvoiceReading:
        """How a pushed invoice stands now."""

    def read_event(self, body: bytes, signature: str) -> Event:
        """What the provider tells. Raises BadSignature."""

    def check(self) -> None:
        """Whether the keys are good. Raises Declined with what is wrong, ProviderError."""
