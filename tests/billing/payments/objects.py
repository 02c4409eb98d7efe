"""Something of each kind that the addresses of payments name."""

from collections.abc import Mapping
from decimal import Decimal
from uuid import uuid4

from django.utils import timezone

from apps.billing.models import PaymentEvent, PaymentMethod
from apps.billing.payments.manual import ManualPayments
from apps.billing.services.collecting import start_top_up
from apps.customers.models import Customer


def of_payments(customer: Customer) -> Mapping[str, object]:
    """A payment that is waited for, a card, and an event that nobody here waits for."""
    now = timezone.now()
    payment = start_top_up(customer, Decimal(10), by=None, at=now, provider=ManualPayments())
    card = f"pm_{uuid4().hex}"
    method = PaymentMethod.objects.create(customer=customer, provider="stripe", provider_id=card, label="Visa …4242")
    event = PaymentEvent.objects.create(
        organization=customer.organization,
        provider="stripe",
        event_id=f"evt_{uuid4().hex}",
        kind="payment_intent.succeeded",
        payload={"subject": "", "subject_id": ""},
    )
    return {
        "payment_id": payment.pk,
        "method_id": method.pk,
        "event_id": event.event_id,
    }
