"""What load balancers, and `manage.py up`, are told."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from redis import Redis

from apps.ops import health, tasks


@pytest.fixture(autouse=True)
def _nothing_known_from_before(monkeypatch):
    monkeypatch.setattr(health, "_are_migrations_done", False)


def test_a_process_that_lives_is_healthy(client: Client):
    answer = client.get("/healthz", headers={"host": "10.1.2.3:8000"})  # a probe knows the address only
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_when_all_answer(client: Client):
    tasks.beat()
    answer = client.get("/readyz")
    found = {"postgresql": "ok", "migrations": "ok", "redis": "ok", "worker": "ok"}
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": found})


@pytest.mark.django_db
def test_not_ready_without_a_worker(client: Client):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["worker"] == "none seen for 45 s"


def test_a_worker_is_believed_in_for_45_seconds(redis: Redis):
    tasks.beat()
    assert 44 <= redis.ttl(health.WORKER_KEY) <= 45


@pytest.mark.django_db
def test_not_ready_before_the_migrations(client: Client):
    tasks.beat()
    MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == "missing: run manage.py migrate"


def test_not_ready_without_redis(client: Client, db, monkeypatch):
    monkeypatch.setattr(health, "_redis", health.connect("unix:///nonexistent/redis.sock"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["redis"] == "no answer: ConnectionError"
    assert answer.json()["checks"]["worker"] == "unknown"
