"""What every test has: an empty Redis, no network, and no examples that fail for being slow."""

import os
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Model
from django.db.models.signals import pre_save
from redis import Redis

from apps.accounts.actions import ACTIONS
from tests.cast import cast as cast  # the fixture
from tests.heard import heard as heard  # likewise
from tests.rig.fixtures import installation as installation  # likewise


class NetworkRefused(Exception):
    """A test reached for a host other than this one."""


def _is_here(host: str | bytes | None) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return True
    try:
        return ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse_network(event: str, args: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        sock, address = args
        is_internet = isinstance(sock, socket.socket) and sock.family in (socket.AF_INET, socket.AF_INET6)
        if is_internet and not _is_here(address[0]):  # type: ignore[index]
            raise NetworkRefused(f"tests reach no network: {address}")
    elif event == "socket.getaddrinfo" and not _is_here(args[0]):  # type: ignore[arg-type]
        raise NetworkRefused(f"tests resolve no names: {args[0]}")


sys.addaudithook(_refuse_network)

# How fast examples are made and tried tells of the machine, which others use too.
hypothesis.settings.register_profile("here", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("here")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Have the tests' database copied from a migrated one, where services.py has made one."""
    connection.settings_dict["TEST"]["TEMPLATE"] = os.environ.get("TOLLGATE_TESTS_TEMPLATE")


def _action_has_a_name(instance: Model, **_: object) -> None:
    """Whatever any test has recorded in the audit log is called something on its page."""
    assert instance.action in ACTIONS, f"name {instance.action} in apps/accounts/actions.py"  # type: ignore[attr-defined]


pre_save.connect(_action_has_a_name, sender="accounts.AuditEvent")


@pytest.fixture(scope="session")
def _redis_of_session() -> Iterator[Redis]:
    with Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture(autouse=True)
def redis(_redis_of_session: Redis) -> Redis:
    """The tests' own Redis, empty at the start of each test."""
    _redis_of_session.flushdb()
    return _redis_of_session
