"""Having customers pay: by the provider's page, by a method they left there, or by a pushed invoice.

A payment is our row first; then, outside any transaction, the provider is asked; then what it said is put down. Who
dies in between leaves a payment that is pending: `ask_about` puts down how it stands, by `billing.ask_about_payments`.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from apps.accounts.models import User
from apps.billing.errors import NotPossible, PaymentDeclined
from apps.billing.models import BillingDetails, Invoice, Payment, PaymentMethod, PaymentProviderSettings
from apps.billing.parties import details_of
from apps.billing.payments.base import Declined, Method, Order, Payer, PaymentProvider, Reading, State
from apps.billing.payments.registry import STRIPE, provider_of, setup_of
from apps.billing.services.payments import add_invoice_payment, add_top_up, payer_of, record_failure, record_payment
from apps.billing.services.quotes import quote_top_up
from apps.customers.models import Customer
from apps.kit.failpoints import reach

# Stripe forgets what was asked under a key after a day: later the same call would charge a second time.
KEY_IS_GOOD_FOR = timedelta(hours=20)
Collects = PaymentProviderSettings.Collects


def start_top_up(
    customer: Customer,
    credit: Decimal,
    *,
    by: User | None,
    at: datetime,
    return_url: str = "",
    method: PaymentMethod | None = None,
    provider: PaymentProvider | None = None,
    payment_id: UUID | None = None,
) -> Payment:
    """Buy `credit` dollars of credit: charged to `method` at once, else by the page that the payment's `url` names.

    return_url: where the payer comes back to, with "{payment}" in place of the payment's id. payment_id: of whoever
    may ask twice: the second time gives the payment of the first, begun again where nobody was asked for it.
    Raises NotConfigured without an exchange rate, PaymentDeclined; ProviderError, the payment then pending, when
    nobody could be asked.
    """
    taker = provider or provider_of(customer.organization)
    if known := _begun(customer, payment_id):
        return _begin_again(known, taker, method, return_url, at)
    quote = quote_top_up(customer, credit, at=at)
    payment = add_top_up(customer, quote, provider=taker.name, by=by, at=at, payment_id=payment_id)
    return _begin(payment, taker, method, return_url, at)


def start_invoice_payment(
    invoice: Invoice,
    *,
    by: User | None,
    at: datetime,
    return_url: str = "",
    method: PaymentMethod | None = None,
    provider: PaymentProvider | None = None,
    payment_id: UUID | None = None,
) -> Payment:
    """Pay what is due on an invoice; the rest as `start_top_up`. Raises NotPossible when nothing is."""
    taker = provider or provider_of(invoice.organization)
    if known := _begun(invoice.customer, payment_id):
        return _begin_again(known, taker, method, return_url, at)
    payment = add_invoice_payment(invoice, provider=taker.name, by=by, at=at, payment_id=payment_id)
    return _begin(payment, taker, method, return_url, at)


def charge_method(payment: Payment, provider: PaymentProvider, method: PaymentMethod, *, at: datetime) -> Payment:
    """Charge a stored method for a payment that has begun. Raises PaymentDeclined, ProviderError."""
    try:
        reading = provider.charge(
            _order_of(payment, provider, ""), Method(method.provider_id, method.kind, method.label)
        )
    except Declined as refusal:
        record_failure(payment, str(refusal), at=at, provider_id=refusal.provider_id)
        raise PaymentDeclined(str(refusal)) from refusal
    reach("method_charged")
    put_down(payment, reading, at=at)
    return _reread(payment)


def charge_again(payment: Payment, *, at: datetime) -> Payment:
    """Ask anew for a charge of which nobody knows whether it was made: under the same key, so it is made once."""
    method = PaymentMethod.objects.live().filter(pk=payment.details.get("method")).first()
    if method is None:
        record_failure(payment, "The payment method is gone.", at=at)
        return _reread(payment)
    return charge_method(payment, provider_of(payment.organization, payment.provider), method, at=at)


def ask_about(payment: Payment, *, at: datetime) -> Payment:
    """Put down how a payment that is pending stands at its provider."""
    provider = provider_of(payment.organization, payment.provider)
    if payment.provider_id == str(payment.pk):  # the provider never answered
        if at - payment.created_at > KEY_IS_GOOD_FOR:
            record_failure(payment, "The payment provider was not reached.", at=at)
        elif "method" in payment.details:
            return charge_again(payment, at=at)
        return _reread(payment)
    if payment.provider_id.startswith("cs_"):
        _our_id, reading = provider.read_checkout(payment.provider_id)
    else:
        reading = provider.read_payment(payment.provider_id)
    if reading is not None:
        put_down(payment, reading, at=at)
    return _reread(payment)


def put_down(payment: Payment, reading: Reading, *, at: datetime) -> None:
    """What the provider says of a payment of ours, whatever it said before."""
    if reading.state is State.SUCCEEDED:
        if reading.currency != payment.currency:
            raise NotPossible(f"{payment.currency} was asked for, and {reading.currency} paid: see to it by hand.")
        record_payment(payment, provider_id=reading.provider_id, amount=reading.amount, method=reading.method, at=at)
    elif reading.state is State.FAILED:
        record_failure(payment, reading.error or "The payment failed.", at=at, provider_id=reading.provider_id)
    else:
        waiting = Payment.objects.filter(pk=payment.pk, state=Payment.State.PENDING)
        waiting.update(provider_id=reading.provider_id)


def collect_invoice(invoice: Invoice, *, at: datetime) -> Payment | None:
    """What happens by itself once an invoice is final: nothing, a charge of the default method, or a push.

    Once: an invoice that was charged or pushed before stays as it is. A card that is declined leaves it open.
    """
    setup = setup_of(invoice.organization)
    if setup is None or not setup.is_on or invoice.state != Invoice.State.OPEN or not invoice.due:
        return None
    if invoice.payments.exists() or invoice.stripe_id:
        return None
    method = default_method(invoice.customer)
    if setup.collects == Collects.CHARGE and method is not None:
        try:
            return start_invoice_payment(invoice, by=None, at=at, method=method)
        except PaymentDeclined:
            return None  # told on the payment; reminders do the rest
    if setup.collects == Collects.PUSH:
        push_invoice(invoice)
    return None


def push_invoice(invoice: Invoice) -> str:
    """Have the provider collect an invoice: its own reminders, its own page. Returns that page's URL."""
    provider = provider_of(invoice.organization)
    order = _order(invoice.pk, invoice.due, invoice.currency, f"Invoice {invoice.number}", invoice.customer, provider)
    is_charged = default_method(invoice.customer) is not None
    try:
        pushed = provider.push_invoice(order, number=invoice.number, is_charged=is_charged)
    except Declined as refusal:
        raise PaymentDeclined(str(refusal)) from refusal
    Invoice.objects.filter(pk=invoice.pk).update(stripe_id=pushed.provider_id)
    return pushed.url


def default_method(customer: Customer) -> PaymentMethod | None:
    """What is charged when nobody is there to choose."""
    return customer.payment_methods.filter(removed_at=None, is_default=True).first()


def known_payer(customer: Customer, provider: PaymentProvider) -> Payer:
    """The customer with its id at the provider, where it is made known the first time."""
    payer = payer_of(customer)
    if payer.provider_id or provider.name != STRIPE:
        return payer
    made = provider.create_customer(payer)
    # Two at once have asked under the same key, and got the same id.
    BillingDetails.objects.filter(pk=details_of(customer).pk, stripe_id="").update(stripe_id=made)
    return payer_of(customer)


def _begin(
    payment: Payment, provider: PaymentProvider, method: PaymentMethod | None, return_url: str, at: datetime
) -> Payment:
    if not payment.amount:  # a coupon paid all of it: there is nobody to ask
        record_payment(payment, at=at)
        return _reread(payment)
    if method is not None:
        payment.details = payment.details | {"method": str(method.pk)}
        payment.save(update_fields=["details"])
        return charge_method(payment, provider, method, at=at)
    try:
        order = _order_of(payment, provider, return_url.replace("{payment}", str(payment.pk)))
        started = provider.start_payment(order)
    except Declined as refusal:
        record_failure(payment, str(refusal), at=at)
        raise PaymentDeclined(str(refusal)) from refusal
    payment.provider_id = started.provider_id
    payment.details = payment.details | {"url": started.url}
    payment.save(update_fields=["provider_id", "details"])
    return payment


def _begun(customer: Customer, payment_id: UUID | None) -> Payment | None:
    return customer.payments.filter(pk=payment_id).first() if payment_id else None


def _begin_again(
    payment: Payment, provider: PaymentProvider, method: PaymentMethod | None, return_url: str, at: datetime
) -> Payment:
    """A payment that was begun before, as it is; asked for again, under its key, where the provider never answered."""
    if payment.state == Payment.State.FAILED:
        raise PaymentDeclined(payment.error)
    never_answered = payment.state == Payment.State.PENDING and payment.provider_id == str(payment.pk)
    if never_answered and payment.provider == provider.name and at - payment.created_at <= KEY_IS_GOOD_FOR:
        return _begin(payment, provider, method, return_url, at)
    return _reread(payment)


def _order_of(payment: Payment, provider: PaymentProvider, return_url: str) -> Order:
    about = f"Invoice {payment.invoice.number}" if payment.invoice else f"Credit at {payment.organization}"
    return _order(payment.pk, payment.amount, payment.currency, about, payment.customer, provider, return_url)


def _order(
    our_id: object,
    amount: Decimal,
    currency: str,
    description: str,
    customer: Customer,
    provider: PaymentProvider,
    return_url: str = "",
) -> Order:
    return Order(str(our_id), amount, currency, description, known_payer(customer, provider), return_url)


def _reread(payment: Payment) -> Payment:
    return Payment.objects.select_related("customer__organization", "invoice").get(pk=payment.pk)
