"""The organization's settings page."""

from django.test import Client

from tests.cast import Cast, reread


def test_what_becomes_of_answers_without_a_client_is_the_organizations_choice(client: Client, cast: Cast):
    client.force_login(cast.olivia)
    page = "/console/settings/"
    assert "When a client hangs up" in client.get(page).content.decode()
    fields = {"name": "Acme", "time_zone": "UTC", "default_markup_percent": "0", "on_limiter_outage": "refuse_capped"}
    client.post(page, fields | {"on_client_gone": "cut_off"})
    assert reread(cast.acme).on_client_gone == "cut_off"
    (event,) = cast.acme.audit_events.filter(action="organization.update")
    assert event.changes == {"on_client_gone": ["read_on", "cut_off"]}
    client.post(page, fields | {"on_client_gone": "something"})
    assert reread(cast.acme).on_client_gone == "cut_off"
