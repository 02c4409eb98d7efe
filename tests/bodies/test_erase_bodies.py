"""The command and the tasks: the same functions by other ways."""

import json
from datetime import UTC, datetime, timedelta

from django.core.management import call_command

from apps.bodies import tasks
from apps.bodies.models import StoredBodies
from apps.bodies.services import set_body_policy
from apps.keys.models import DataKey
from tests.bodies.making import a_policy, stored
from tests.cast import Cast


def left() -> set[object]:
    return set(StoredBodies.objects.values_list("customer_id", flat=True))


def test_the_command_erases_a_customers_bodies_or_all(cast: Cast, capsys):
    for customer in (cast.globex, cast.initech, cast.shady):
        set_body_policy(customer.organization, by=None, keeps="both")
        stored(customer)
    call_command("erase_bodies", organization="acme", customer="globex", json=True)
    assert json.loads(capsys.readouterr().out) == {"deleted": 1}
    assert left() == {cast.initech.pk, cast.shady.pk}
    call_command("erase_bodies", organization="acme", json=True)
    assert json.loads(capsys.readouterr().out) == {"deleted": 1}
    assert left() == {cast.shady.pk}


def test_the_tasks_delete_what_is_over(cast: Cast):
    set_body_policy(cast.acme, by=None, keeps="both", days=1)
    stored(cast.globex, datetime.now(UTC) - timedelta(days=5), policy=a_policy(days=30))
    stored(cast.initech)
    tasks.enforce(str(cast.evil_corp.pk))
    assert left() == {cast.globex.pk, cast.initech.pk}
    tasks.enforce_all()
    tasks.enforce_all()
    assert left() == {cast.initech.pk}
    tasks.forget_expired()
    assert left() == {cast.initech.pk}
    assert [key.customer_id for key in DataKey.objects.all()] == [cast.initech.pk]
