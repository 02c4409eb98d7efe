"""What a customer's people see of stored bodies: their own, where the operator shows them."""

import pytest
from django.test import Client

from apps.bodies.services import set_body_policy
from apps.customers.models import CustomerRole
from tests.bodies.making import stored
from tests.cast import Cast, a_customer_member


def url_of(request) -> str:
    return f"/portal/requests/{request.id}/bodies/"


@pytest.mark.parametrize("is_open", [False, True])
def test_an_admin_sees_them_where_the_operator_shows_them(client: Client, cast: Cast, is_open):
    set_body_policy(cast.acme, by=None, keeps="both", is_open_to_customers=is_open)
    request = stored(cast.globex)
    client.force_login(cast.gina)
    assert (url_of(request) in client.get(f"/portal/requests/{request.id}/").content.decode()) is is_open
    page = client.post(url_of(request)).content
    assert (b"Hello." in page) is is_open
    assert (b"Not shown here" in page) is not is_open
    events = cast.acme.audit_events.filter(action="request_body.view", actor_id=cast.gina.pk)
    assert events.count() == is_open


@pytest.mark.parametrize("role", [CustomerRole.DEVELOPER, CustomerRole.VIEWER])
def test_others_of_the_customer_do_not(client: Client, cast: Cast, role):
    set_body_policy(cast.acme, by=None, keeps="both", is_open_to_customers=True)
    request = stored(cast.globex)
    client.force_login(a_customer_member(cast.globex, role).user)
    assert client.post(url_of(request)).status_code == 403
    assert url_of(request) not in client.get(f"/portal/requests/{request.id}/").content.decode()


def test_another_customers_are_not_there(client: Client, cast: Cast):
    set_body_policy(cast.acme, by=None, keeps="both", is_open_to_customers=True)
    request = stored(cast.initech)
    client.force_login(cast.gina)
    assert client.post(url_of(request)).status_code == 404
    assert cast.acme.audit_events.filter(action="request_body.view").count() == 0
