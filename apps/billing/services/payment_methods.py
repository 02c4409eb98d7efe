"""The cards and the like that customers left with a payment provider: what it has, and which is the default."""

from datetime import datetime

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.errors import NotPossible
from apps.billing.models import PaymentMethod
from apps.billing.payments.base import PaymentProvider
from apps.billing.payments.registry import provider_of
from apps.billing.services.collecting import known_payer
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer


def start_method(customer: Customer, return_url: str) -> str:
    """A page of the provider's where the customer leaves a card. Raises NotPossible, ProviderError."""
    provider = provider_of(customer.organization)
    if not provider.has_methods:
        raise NotPossible("Cards can't be stored: payments go by bank transfer.")
    return provider.start_method(known_payer(customer, provider), return_url)


def read_methods(customer: Customer, provider: PaymentProvider, *, at: datetime) -> list[PaymentMethod]:
    """Put down what the customer has left with the provider. The first one becomes the default."""
    payer = known_payer(customer, provider)
    told = {each.provider_id: each for each in provider.methods(payer.provider_id)} if payer.provider_id else {}
    with transaction.atomic():
        customer = lock_customer(customer)
        ours = customer.payment_methods.filter(provider=provider.name)
        ours.filter(removed_at=None).exclude(provider_id__in=told).update(removed_at=at, is_default=False)
        for method_id, each in told.items():
            PaymentMethod.objects.update_or_create(
                customer=customer,
                provider=provider.name,
                provider_id=method_id,
                defaults={"kind": each.kind, "label": each.label, "removed_at": None},
            )
        live = customer.payment_methods.live()
        if live and not any(method.is_default for method in live):
            PaymentMethod.objects.filter(pk=live[0].pk).update(is_default=True)
    return list(customer.payment_methods.live())


def set_default_method(method: PaymentMethod, *, by: User | None) -> None:
    """Charge this one when nobody is there to choose. Raises NotPossible for one that is gone, ProviderError."""
    customer = method.customer
    provider = provider_of(customer.organization, method.provider)
    provider.set_default_method(known_payer(customer, provider).provider_id, method.provider_id)
    with transaction.atomic():
        customer = lock_customer(customer)
        if not customer.payment_methods.live().filter(pk=method.pk).exists():
            raise NotPossible("This payment method is gone.")
        before = customer.payment_methods.filter(is_default=True, removed_at=None).first()
        customer.payment_methods.filter(is_default=True).update(is_default=False)
        customer.payment_methods.filter(pk=method.pk).update(is_default=True)
        changes: audit.Changes = {"default": (before.label if before else None, method.label)}
        _record(method, "payment_method.default", by, changes)


def remove_method(method: PaymentMethod, *, by: User | None, at: datetime) -> None:
    """Forget a card here and at the provider. Another one becomes the default, if there is one."""
    customer = method.customer
    provider = provider_of(customer.organization, method.provider)
    provider.remove_method(method.provider_id)
    with transaction.atomic():
        customer = lock_customer(customer)
        customer.payment_methods.filter(pk=method.pk).update(removed_at=at, is_default=False)
        live = customer.payment_methods.live().first()
        if live and not live.is_default:
            customer.payment_methods.filter(pk=live.pk).update(is_default=True)
        _record(method, "payment_method.remove", by, {"label": (method.label, None)})


def _record(method: PaymentMethod, action: str, by: User | None, changes: audit.Changes) -> None:
    customer = method.customer
    audit.record(customer.organization, action, method, actor=by, changes=changes, customer=customer)
