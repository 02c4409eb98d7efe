"""Customers, by token."""

from decimal import Decimal

import pytest

from apps.customers.models import Customer
from tests.api.v1.conftest import NOW, Program
from tests.cast import Cast, reread

LIMITS = dict.fromkeys(
    (
        "requests_per_minute",
        "requests_per_hour",
        "requests_per_day",
        "tokens_per_minute",
        "max_concurrent",
        "daily_cap",
        "monthly_cap",
        "total_cap",
    )
)

pytestmark = pytest.mark.usefixtures("at_noon")


def test_a_customer_is_added_with_all_that_it_may(acmes: Program, cast: Cast, time_machine):
    time_machine.move_to(NOW, tick=False)
    answer = acmes(
        "POST",
        "customers",
        {
            "name": " Hooli ",
            "markup_percent": "12.5",
            "requests_per_minute": 60,
            "daily_cap": "0.000000000001",
            "allowed_models": ["gpt-4o*"],
            "retries": 2,
        },
    )
    assert answer.status_code == 201
    hooli = cast.acme.customers.get(slug="hooli")
    assert answer.json() == {
        "id": str(hooli.pk),
        "name": "Hooli",
        "slug": "hooli",
        "email": "",
        "markup_percent": "12.5",
        "is_suspended": False,
        "suspended_at": None,
        "created_at": "2026-03-10T12:00:00Z",
        "limits": LIMITS | {"requests_per_minute": 60, "daily_cap": "0.000000000001"},
        "allowed_models": ["gpt-4o*"],
        "allowed_networks": [],
        "shortens_output": False,
        "retries": 2,
    }
    assert acmes.get(f"customers/{hooli.pk}") == answer.json()


def test_the_audit_log_tells_which_token_did_it(acmes: Program, cast: Cast):
    acmes("POST", "customers", {"name": "Hooli"})
    event = cast.acme.audit_events.get(action="customer.add", target_label="Hooli")
    assert (event.actor_id, event.actor_label) == (None, f"API token test (tg_api_…{acmes.plain[-4:]})")


def test_two_of_a_slug_are_a_conflict(acmes: Program, cast: Cast):
    answer = acmes("POST", "customers", {"name": "Another", "slug": "globex"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:tollgate:problem:conflict"
    assert not cast.acme.customers.filter(name="Another").exists()


def test_a_change_leaves_the_rest_as_it_is(acmes: Program, cast: Cast):
    acmes("PATCH", f"customers/{cast.globex.pk}", {"daily_cap": "5", "retries": 1})
    answer = acmes("PATCH", f"customers/{cast.globex.pk}", {"retries": None, "name": "Globex Inc"})
    assert answer.status_code == 200
    globex = reread(cast.globex)
    assert (globex.name, globex.daily_cap, globex.retries) == ("Globex Inc", Decimal(5), None)


WRONG = [
    pytest.param({"allowed_networks": ["elsewhere"]}, "#/allowed_networks", id="no-network"),
    pytest.param({"daily_cap": "-1"}, "#/daily_cap", id="below-nothing"),
    pytest.param({"daily_cap": "0.0000000000001"}, "#/daily_cap", id="too-fine"),
    pytest.param({"requests_per_minute": 2**31}, "#/requests_per_minute", id="too-many"),
    pytest.param({"markup_percent": "-100.5"}, "#/markup_percent", id="below-free"),
    pytest.param({"name": "  "}, "#/name", id="no-name"),
    pytest.param({"email": "nobody"}, "#/email", id="no-address"),
    pytest.param({"slug": "other"}, "#/slug", id="not-to-be-changed"),
]


@pytest.mark.parametrize(("changes", "pointer"), WRONG)
def test_what_is_wrong_changes_nothing(acmes: Program, cast: Cast, changes, pointer):
    answer = acmes("PATCH", f"customers/{cast.globex.pk}", {"retries": 3} | changes)
    assert answer.status_code == 400
    assert [error["pointer"].split("/")[1] for error in answer.json()["errors"]] == [pointer[2:]]
    assert reread(cast.globex).retries is None


def test_suspended_and_resumed(acmes: Program, cast: Cast, time_machine):
    time_machine.move_to(NOW, tick=False)
    for _ in range(2):  # the second changes nothing
        told = acmes("POST", f"customers/{cast.globex.pk}/suspend").json()
        assert (told["is_suspended"], told["suspended_at"]) == (True, "2026-03-10T12:00:00Z")
    assert [each["name"] for each in acmes.everything("customers", is_suspended="true")] == ["Globex"]
    assert acmes("POST", f"customers/{cast.globex.pk}/resume").json()["suspended_at"] is None
    assert acmes.everything("customers", is_suspended="true") == []
    actions = cast.acme.audit_events.filter(target_label="Globex").values_list("action", flat=True)
    assert sorted(actions) == ["customer.add", "customer.resume", "customer.suspend"]


def test_a_search_is_of_part_of_the_name(acmes: Program, cast: Cast):
    assert [each["name"] for each in acmes.everything("customers", search="INI")] == ["Initech"]


def test_a_customers_token_sees_its_own_without_markup(globexs: Program, cast: Cast):
    Customer.objects.filter(pk=cast.globex.pk).update(markup_percent=20)
    [told] = globexs.everything("customers")
    assert told["name"] == "Globex"
    assert "markup_percent" not in told
    assert globexs("PATCH", f"customers/{cast.globex.pk}", {"retries": 1}).status_code == 403
