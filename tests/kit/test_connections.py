"""Connections are told what sums need."""

import pytest
from django.db import connection


def told(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_sums_are_not_compiled_and_have_room():
    connection.close()
    assert (told("jit"), told("work_mem")) == ("off", "32MB")


@pytest.mark.django_db(transaction=True)
def test_more_room_that_a_server_gives_is_left(monkeypatch):
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"options": "-c work_mem=96MB"})
    assert told("work_mem") == "96MB"
    connection.close()
