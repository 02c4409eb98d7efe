"""What tests of payments share: an organization that is paid by a Stripe that is not Stripe."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from apps.billing.models import PaymentMethod, Wallet
from apps.billing.payments.registry import provider_of
from apps.billing.services.collecting import known_payer
from apps.billing.services.payment_methods import read_methods
from apps.billing.services.payment_settings import set_up_stripe
from apps.billing.services.wallets import open_wallet
from apps.customers.models import Customer
from tests.billing.payments.fake_stripe import SECRET_KEY, WEBHOOK_SECRET, LocalStripe, running_localstripe
from tests.cast import Cast

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def _localstripe_of_session(tmp_path_factory) -> Iterator[LocalStripe]:
    with running_localstripe(tmp_path_factory.mktemp("localstripe")) as local:
        yield local


@pytest.fixture
def local(_localstripe_of_session: LocalStripe, settings) -> LocalStripe:
    """A localstripe that knows nobody yet, and that our provider asks."""
    _localstripe_of_session.forget()
    settings.STRIPE_API_BASE = _localstripe_of_session.url
    return _localstripe_of_session


@pytest.fixture
def acme(cast: Cast, local: LocalStripe):
    """Acme, paid by Stripe."""
    set_up_stripe(cast.acme, secret_key=SECRET_KEY, webhook_secret=WEBHOOK_SECRET, by=None)
    return cast.acme


@pytest.fixture
def globex(cast: Cast, acme) -> Customer:
    """Globex, a customer of Acme's that pays in advance."""
    open_wallet(cast.globex, by=None, at=NOW, settlement=Wallet.Settlement.PREPAID)
    return cast.globex


def a_stored_card(local: LocalStripe, customer: Customer, number: str = "4242424242424242") -> PaymentMethod:
    """A card that the customer left with Stripe, and that we have heard of."""
    provider = provider_of(customer.organization)
    card = local.a_card(known_payer(customer, provider).provider_id, number)
    return next(each for each in read_methods(customer, provider, at=NOW) if each.provider_id == card)
