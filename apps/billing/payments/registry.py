"""Who takes an organization's payments: as it has set up, else by hand."""

from dataclasses import dataclass

from django.conf import settings

from apps.accounts.models import Organization
from apps.billing.models import PaymentProviderSettings
from apps.billing.models.payments import MANUAL
from apps.billing.payments.base import PaymentProvider
from apps.billing.payments.keys import keys_in
from apps.billing.payments.manual import ManualPayments

STRIPE = "stripe"
LABELS = {STRIPE: "Stripe", MANUAL: "Bank transfer"}


@dataclass(frozen=True)
class Setup:
    """How an organization has set up a provider."""

    provider: PaymentProvider
    collects: PaymentProviderSettings.Collects = PaymentProviderSettings.Collects.LINK
    is_on: bool = True


def setup_of(organization: Organization, name: str = STRIPE) -> Setup | None:
    """The provider of that name, switched off too: what was paid by it goes on being read and refunded."""
    if name == MANUAL:
        return Setup(ManualPayments())
    if name != STRIPE:
        return None
    row = PaymentProviderSettings.objects.filter(organization=organization, provider=name).first()
    if row is not None and row.kek_id:
        keys = keys_in(row.open())
        return Setup(_stripe(keys.secret_key, keys.webhook_secret), row.Collects(row.collects), row.is_on)
    if settings.STRIPE_SECRET_KEY and organization.slug == settings.STRIPE_ORGANIZATION:
        collects = row.Collects(row.collects) if row else PaymentProviderSettings.Collects.LINK
        return Setup(_stripe(settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET), collects)
    return None


def provider_of(organization: Organization, name: str = "") -> PaymentProvider:
    """The provider of that name; "": who takes payments now. By hand, where none is set up."""
    setup = setup_of(organization, name or STRIPE)
    if setup is None or (not name and not setup.is_on):
        return ManualPayments()
    return setup.provider


def _stripe(secret_key: str, webhook_secret: str) -> PaymentProvider:
    from apps.billing.payments.stripe import StripePayments  # costly to import, and not everybody has it

    return StripePayments(secret_key, webhook_secret, settings.STRIPE_API_BASE)
