import json

import pytest
from django.db import transaction
from redis import Redis

from apps.kit.after_commit import after_commit

QUEUE = "tollgate:celery:celery"


def queued(redis: Redis) -> list[str]:
    return [json.loads(message)["headers"]["task"] for message in redis.lrange(QUEUE, 0, -1)]


@pytest.mark.django_db(transaction=True)
def test_a_task_is_enqueued_once_the_transaction_has_committed(redis: Redis):
    with transaction.atomic():
        after_commit("kit.nobody", 1, "two")
        assert queued(redis) == []
    assert queued(redis) == ["kit.nobody"]
    assert json.loads(redis.lindex(QUEUE, 0))["headers"]["argsrepr"] == "(1, 'two')"


@pytest.mark.django_db(transaction=True)
def test_a_task_of_a_transaction_that_rolled_back_is_not(redis: Redis):
    with transaction.atomic():
        after_commit("kit.nobody")
        transaction.set_rollback(True)
    assert queued(redis) == []
