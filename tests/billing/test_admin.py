"""The platform admin: billing to look at, never to change, and without a secret."""

from decimal import Decimal

import pytest
from django.contrib import admin
from django.urls import reverse

from apps.accounts.models import User
from apps.analyses.models import SavedAnalysis
from apps.billing.models import (
    BilledZone,
    CreditNote,
    Invoice,
    LedgerAccount,
    LedgerTransaction,
    PaymentProviderSettings,
    Plan,
    Subscription,
    Voucher,
    Wallet,
)
from apps.billing.services.payment_settings import set_up_stripe
from apps.billing.services.vouchers import make_vouchers
from tests.billing.made import AFTER, a_subscription, a_wallet, run, used
from tests.billing.making import a_credit_note
from tests.cast import Cast, a_person

OURS = ("billing", "analyses")
REGISTERED = [model for model in admin.site._registry if model._meta.app_label in OURS]
SHOWN = [
    BilledZone, CreditNote, Invoice, LedgerAccount, LedgerTransaction, PaymentProviderSettings, Plan, SavedAnalysis,
    Subscription, Voucher, Wallet,
]  # fmt: skip


@pytest.fixture
def root(client, cast: Cast):
    person = a_person("root@example.com")
    User.objects.filter(pk=person.pk).update(is_staff=True, is_superuser=True)
    client.force_login(person)
    a_wallet(cast.globex, "2")
    a_subscription(cast.globex, fee=Decimal(30))
    used(cast.globex, price="5")
    run(cast.globex, finalizes=True)
    a_credit_note(Invoice.objects.get(), "1")
    set_up_stripe(cast.acme, secret_key="sk_test_secret4242", webhook_secret="whsec_secret1234", by=None)
    make_vouchers(cast.acme, Decimal(5), by=None, at=AFTER)
    SavedAnalysis.objects.create(organization=cast.acme, name="Ours", asked={"rows": "model"})
    return client


def test_all_of_them_are_registered():
    assert {model.__name__ for model in SHOWN} <= {model.__name__ for model in REGISTERED}


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.__name__)
def test_lists_are_shown_to_who_runs_the_installation(root, model):
    page = root.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
    assert page.status_code == 200


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model.__name__)
def test_a_row_is_shown_and_never_changed(root, model):
    row = model._default_manager.first()
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
    page = root.get(url)
    assert page.status_code == 200
    for secret in ("secret4242", "secret1234", "ciphertext", "code_hash", "wrapped_key"):
        assert secret not in page.content.decode()
    assert root.post(url, {}).status_code == 403
    assert root.post(url.replace("change", "delete"), {"post": "yes"}).status_code == 403


def test_operators_have_no_business_there(client, cast: Cast):
    client.force_login(cast.olivia)
    assert client.get(reverse("admin:billing_invoice_changelist")).status_code == 302
