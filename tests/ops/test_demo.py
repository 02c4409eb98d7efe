"""The demo data, made by the services that the pages call."""

import pytest
from django.utils import timezone

from apps.accounts.models import Organization, User
from apps.billing.models import Seller, Subscription, Wallet
from apps.customers.models import Customer
from apps.keys.models import ProviderKey, ProxyKey
from apps.keys.token import digest
from apps.keys.vault import open_provider_key
from apps.ops.demo import make_demo
from apps.ops.demo_card import read_demo_card
from apps.usage.record import Intent, Outcome, decode
from apps.usage.segment import HEADER_BYTES, scan, segment_numbers
from tests.cast import an_organization

SANDBOX = "http://127.0.0.1:8009"

pytestmark = pytest.mark.django_db


@pytest.fixture
def data(tmp_path, settings, monkeypatch):
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    settings.SPOOL_DIRECTORY = tmp_path / "spool"
    return tmp_path


def records_in(folder) -> list[Intent | Outcome]:
    return [
        decode(frame.payload)
        for spool in folder.iterdir()
        for number in segment_numbers(spool)
        for frame in scan(spool, number, HEADER_BYTES, is_finished=True)
    ]


def test_who_is_on_the_card_can_sign_in_and_call(data):
    assert make_demo(data, sandbox_url=SANDBOX, days=1) is True
    card = read_demo_card(data)
    olivia, gina = (User.objects.get(email=email) for email in (card.operator_email, card.customer_email))
    assert olivia.check_password(card.password)
    assert gina.check_password(card.password)
    assert [member.organization.slug for member in olivia.memberships.all()] == ["acme"]
    assert [member.customer.slug for member in gina.customer_memberships.all()] == ["globex"]
    key = ProxyKey.objects.get(key_hash=digest(card.proxy_key))
    assert key.customer.slug == "globex"
    assert key.is_live(timezone.now())


def test_every_customer_has_a_key_for_each_wire_of_the_sandbox(data):
    make_demo(data, sandbox_url=SANDBOX, days=1)
    assert {key.provider: key.base_url for key in ProviderKey.objects.all()} == {
        "openai": f"{SANDBOX}/v1",
        "anthropic": SANDBOX,
        "google": SANDBOX,
    }
    customers = Customer.objects.all()
    assert {customer.name for customer in customers} == {"Globex", "Hooli", "Initech", "Umbrella"}
    assert {customer.provider_key_links.count() for customer in customers} == {3}


def test_keys_and_end_users_have_limits_for_the_pages_to_show(data):
    make_demo(data, sandbox_url=SANDBOX, days=1)
    globex = Customer.objects.get(slug="globex")
    limited = {key.name: (key.requests_per_hour, key.monthly_cap) for key in globex.proxy_keys.all()}
    assert limited == {"production": (None, None), "staging": (2000, 20)}
    rows = globex.end_user_limits.order_by("end_user")
    assert [row.end_user for row in rows] == ["user-001", "user-002", "user-060", None]


def test_the_history_is_in_a_spool_whole_and_of_the_demos_keys(data):
    make_demo(data, sandbox_url=SANDBOX, days=2)
    records = records_in(data / "spool")
    intents = {record.id: record for record in records if isinstance(record, Intent)}
    outcomes = {record.id for record in records if isinstance(record, Outcome)}
    assert len(intents) > 500
    assert outcomes == intents.keys()
    assert {intent.proxy_key_id for intent in intents.values()} == {
        pk.bytes for pk in ProxyKey.objects.values_list("pk", flat=True)
    }


def test_a_second_time_makes_nothing_and_finds_the_sandbox_where_it_is_now(data):
    make_demo(data, sandbox_url=SANDBOX, days=1)
    card = (data / "demo.json").read_bytes()
    assert make_demo(data, sandbox_url="http://127.0.0.1:9999", days=1) is False
    assert (data / "demo.json").read_bytes() == card
    assert Organization.objects.count() == 1
    assert set(ProviderKey.objects.values_list("base_url", flat=True)) == {
        "http://127.0.0.1:9999/v1",
        "http://127.0.0.1:9999",
    }


def test_somebodys_own_data_is_left_alone(data):
    an_organization("Own")
    assert make_demo(data, sandbox_url=SANDBOX, days=1) is False
    assert [organization.name for organization in Organization.objects.all()] == ["Own"]
    assert read_demo_card(data) is None


def test_a_real_providers_key_is_offered_to_a_customer_with_a_low_cap(data, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real-0123456789")
    make_demo(data, sandbox_url=SANDBOX, days=1)
    live = ProxyKey.objects.get(key_hash=digest(read_demo_card(data).live_key)).customer
    assert (live.name, live.daily_cap) == ("Live trial", 5)
    (link,) = live.provider_key_links.all()
    assert link.provider_key.base_url == ""
    assert open_provider_key(link.provider_key, opened_by="test") == "sk-real-0123456789"


def test_a_demo_that_fails_half_way_leaves_nothing(data, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not one line\nof characters")
    with pytest.raises(Exception, match="one line of visible"):
        make_demo(data, sandbox_url=SANDBOX, days=1)
    assert not Organization.objects.exists()
    assert not User.objects.exists()
    assert read_demo_card(data) is None


def test_billing_has_a_seller_a_plan_and_a_prepaid_customer(data):
    make_demo(data, sandbox_url=SANDBOX, days=1)
    assert Seller.objects.get().legal_name == "Acme AI Ltd"
    subscription = Subscription.objects.get()
    assert (subscription.customer.slug, subscription.version.fee) == ("globex", 49)
    wallet = Wallet.objects.get()
    assert (wallet.customer.slug, wallet.settlement, wallet.balance) == ("umbrella", "prepaid", 20)
