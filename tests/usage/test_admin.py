import pytest
from django.urls import reverse

from apps.accounts.models import User
from apps.usage.models import Batch, DeadLetter, Spool
from tests.cast import a_person
from tests.usage.conftest import a_call, write_spool


@pytest.mark.parametrize("model", [Spool, Batch, DeadLetter])
def test_admin_shows_every_row_and_changes_none(client, cast, root, ship, model):
    person = a_person("root@example.com")
    User.objects.filter(pk=person.pk).update(is_staff=True, is_superuser=True)
    client.force_login(person)
    write_spool(root, [b"\xc1", *a_call(cast.globex)])
    ship()
    name = f"admin:usage_{model._meta.model_name}"
    url = reverse(f"{name}_change", args=[model.objects.get().pk])
    assert client.get(reverse(f"{name}_changelist")).status_code == 200
    assert client.get(url).status_code == 200
    assert client.post(url, {}).status_code == 403
