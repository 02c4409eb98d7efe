"""The organization's settings page."""

from decimal import Decimal

import pytest
from django.test import Client

from apps.accounts.models import Organization
from tests.cast import Cast, reread


def test_what_becomes_of_answers_without_a_client_is_the_organizations_choice(client: Client, cast: Cast):
    client.force_login(cast.olivia)
    page = "/console/settings/"
    assert "When a client hangs up" in client.get(page).content.decode()
    fields = {
        "name": "Acme",
        "time_zone": "UTC",
        "default_markup_percent": "0",
        "on_limiter_outage": "refuse_capped",
        "retries": "0",
        "retry_statuses": "429,500,502,503,504,529",
        "retry_wait_ms": "500",
        "retry_most_wait_ms": "10000",
    }
    client.post(page, fields | {"on_client_gone": "cut_off"})
    assert reread(cast.acme).on_client_gone == "cut_off"
    (event,) = cast.acme.audit_events.filter(action="organization.update")
    assert event.changes == {"on_client_gone": ["read_on", "cut_off"]}
    client.post(page, fields | {"on_client_gone": "something"})
    assert reread(cast.acme).on_client_gone == "cut_off"


@pytest.mark.parametrize(("percent", "shown"), [("25", "25"), ("12.5", "12.5"), ("100", "100"), ("0", "0")])
def test_a_markup_is_written_as_it_was_typed(client: Client, cast: Cast, percent: str, shown: str):
    Organization.objects.filter(pk=cast.acme.pk).update(default_markup_percent=Decimal(percent))
    client.force_login(cast.olivia)
    field = client.get("/console/settings/").context["form"]["default_markup_percent"]
    assert field.value() == shown
    cast.globex.markup_percent = Decimal(percent)
    cast.globex.save()
    page = client.get(f"/console/customers/{cast.globex.pk}/edit/")
    assert page.context["form"]["markup_percent"].value() == shown
