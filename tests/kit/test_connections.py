"""Connections are told what sums need."""

import pytest
from django.db import connection


@pytest.mark.django_db(transaction=True)
def test_sums_are_not_compiled():
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)
