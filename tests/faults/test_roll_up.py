"""`kill -9` of workers that roll up, at random: what is summed is what was requested (L8)."""

import random
from datetime import UTC, datetime

import pytest

from apps.ops.seed import usage as seeding
from apps.usage.audit import audit
from apps.usage.models import Batch, DailyTotal
from tests.faults.size import size
from tests.rig.rollers import kill_at_random
from tests.usage.conftest import database_url

AT = datetime(2026, 3, 10, 12, 34, tzinfo=UTC)
REQUESTS = size(20_000, 1_000_000)
BATCH_ROWS = size(50, 400)  # so that there are some transactions to be killed in
KILLS = size(3, 20)
LONGEST_S = size(1, 4) / 4
WORKERS = 2


@pytest.mark.timeout(1500)
@pytest.mark.django_db(transaction=True)
def test_workers_killed_at_random_leave_all_sums_exact(cast, monkeypatch):
    seed = random.randrange(10**9)
    print("seed", seed)
    monkeypatch.setattr(seeding, "BATCH_ROWS", BATCH_ROWS)
    seeding.seed_usage(cast.acme, requests=REQUESTS, customers=40, users=2_000, days=8, at=AT)
    chance = random.Random(seed)
    assert kill_at_random(database_url(), kills=KILLS, workers=WORKERS, longest_s=LONGEST_S, chance=chance) == KILLS
    assert not Batch.objects.filter(rolled_up_at=None).exists()
    assert sum(DailyTotal.objects.values_list("requests", flat=True)) == REQUESTS
    assert audit().is_equal
