"""The invoice of credit that was bought: final and paid from the start, with the figures it was quoted with."""

from datetime import datetime

from django.db import transaction

from apps.billing.models import Invoice, Payment
from apps.customers.services import lock as lock_customer


@transaction.atomic
def make_receipt(payment: Payment, *, at: datetime) -> Invoice | None:
    """The payment's invoice; made once. None: it bought no credit, or was not paid."""
    customer = lock_customer(payment.customer)
    payment = Payment.objects.select_for_update(of=("self",), no_key=True).get(pk=payment.pk)
    if payment.state != Payment.State.SUCCEEDED or not payment.is_top_up:
        return None
    if payment.invoice:
        return payment.invoice
    raise NotImplementedError
