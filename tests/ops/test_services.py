"""What the tests themselves stand on."""

import socket

import pytest
from django.db import connection
from redis import Redis

from tests.conftest import NetworkRefused
from tests.services import _numbered


@pytest.mark.django_db
def test_postgresql_is_real_and_keeps_utc():
    with connection.cursor() as cursor:
        cursor.execute("SHOW timezone")
        assert cursor.fetchone() == ("UTC",)


def test_redis_is_empty_at_the_start(redis: Redis):
    assert redis.dbsize() == 0
    redis.set("left", "over")


def test_redis_is_empty_at_the_start_of_the_next(redis: Redis):
    assert redis.dbsize() == 0
    redis.set("left", "over")


def test_other_hosts_are_refused():
    with pytest.raises(NetworkRefused), socket.socket() as sock:
        sock.connect(("192.0.2.1", 80))


def test_names_are_not_resolved():
    with pytest.raises(NetworkRefused):
        socket.create_connection(("example.com", 80))


@pytest.mark.parametrize(
    ("url", "numbered"),
    [
        ("redis://cache", "redis://cache/3"),
        ("redis://:secret@cache:6380/0", "redis://:secret@cache:6380/3"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?db=3"),
        ("unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=3"),
    ],
)
def test_workers_of_one_redis_have_a_database_each(url, numbered):
    assert _numbered(url, 3) == numbered
