"""How an organization is paid: its account at a provider, whose keys go into the vault and are not seen again."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.billing.models import BillingDetails, PaymentMethod, PaymentProviderSettings
from apps.billing.payments.keys import ProviderKeys, as_text, hint_of, is_for_tests, keys_in
from apps.billing.payments.registry import STRIPE, provider_of

SECRET_PREFIXES = ("sk_", "rk_")
WEBHOOK_PREFIX = "whsec_"
SHORTEST = 12
TOLD = ("key_hint", "webhook_hint", "collects", "is_on")


def settings_of(organization: Organization) -> PaymentProviderSettings | None:
    """Of Stripe, if it was set up here."""
    return organization.payment_providers.filter(provider=STRIPE).first()


@transaction.atomic
def set_up_stripe(
    organization: Organization,
    *,
    secret_key: str = "",
    webhook_secret: str = "",
    collects: str = PaymentProviderSettings.Collects.LINK,
    is_on: bool = True,
    by: User | None,
) -> PaymentProviderSettings:
    """Take payments by Stripe. A secret left empty stays as it is. Raises ValidationError for what is no such key.

    From keys for tests to real ones, or back, customers and cards are forgotten: the other side knows none of them.
    """
    _check(secret_key, webhook_secret)
    organization = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    row = settings_of(organization) or PaymentProviderSettings(organization=organization, provider=STRIPE)
    known = keys_in(row.open()) if row.kek_id else ProviderKeys("")
    keys = ProviderKeys(secret_key or known.secret_key, webhook_secret or known.webhook_secret)
    if not keys.secret_key:
        raise ValidationError({"secret_key": _("Without a secret key nothing can be charged.")})
    before = audit.fields_of(row, TOLD) if row.kek_id else {}
    row.key_hint, row.webhook_hint = hint_of(keys.secret_key), hint_of(keys.webhook_secret)
    row.collects, row.is_on = collects, is_on
    if keys != known:
        row.seal(as_text(keys))
        row.checked_at = None
    row.full_clean()
    row.save()
    if known.secret_key and is_for_tests(keys.secret_key) is not is_for_tests(known.secret_key):
        _forget_payers(organization)
    changes = audit.difference(before, audit.fields_of(row, TOLD))
    audit.record(organization, "payment_provider.set", row, actor=by, changes=changes)
    return row


@transaction.atomic
def remove_stripe(organization: Organization, *, by: User | None) -> None:
    """Forget the keys, and the customers' cards. What was paid stays; it can't be refunded from here any more."""
    row = organization.payment_providers.select_for_update().filter(provider=STRIPE).first()
    if row is not None:
        audit.record(organization, "payment_provider.remove", row, actor=by, changes={"key_hint": (row.key_hint, None)})
        row.delete()
        _forget_payers(organization)


def check_stripe(organization: Organization, *, at: datetime) -> None:
    """Ask Stripe something with the key. Raises Declined, ProviderError with what is wrong."""
    provider_of(organization, STRIPE).check()
    organization.payment_providers.filter(provider=STRIPE).update(checked_at=at)


def _forget_payers(organization: Organization) -> None:
    """Another account, or real money instead of play money, knows none of the customers and cards of this one."""
    BillingDetails.objects.filter(customer__organization=organization).update(stripe_id="")
    cards = PaymentMethod.objects.filter(customer__organization=organization, provider=STRIPE, removed_at=None)
    cards.update(removed_at=timezone.now(), is_default=False)


def _check(secret_key: str, webhook_secret: str) -> None:
    errors = {}
    if secret_key and (not secret_key.startswith(SECRET_PREFIXES) or len(secret_key) < SHORTEST):
        errors["secret_key"] = _("A secret key begins with sk_ or rk_: not the publishable one.")
    if webhook_secret and (not webhook_secret.startswith(WEBHOOK_PREFIX) or len(webhook_secret) < SHORTEST):
        errors["webhook_secret"] = _("The signing secret of a webhook begins with whsec_.")
    if errors:
        raise ValidationError(errors)
