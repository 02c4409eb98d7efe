"""What pages show that would take too long to add up while somebody waits: figures as of an instant, made by workers.

All of it can be made again from the sums, so its tables are not logged: a crash of PostgreSQL empties them.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.kit.fields import AmountField


class Snapshot(models.Model):
    """That figures were made, of what, and when. Of several with one key the newest counts; the others go soon."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    key = models.CharField(max_length=64)
    asked = models.TextField()
    as_of = models.DateTimeField()
    took_ms = models.PositiveIntegerField()
    totals = models.TextField()  # of the days: while they are the same, so is all of it
    looked_at = models.DateTimeField()  # to within some minutes
    users = models.PositiveIntegerField(default=0)
    answer = models.TextField(default="")  # of users, how they are spread; of insights, all that there is

    is_behind = False  # something was added since: told by who looked

    class Meta:
        indexes = (models.Index(fields=["key", "-as_of"], name="snapshot_by_key"),)

    def __str__(self) -> str:
        return f"{self.asked} as of {self.as_of:%Y-%m-%d %H:%M:%S}"

    def as_of_in(self, zone: ZoneInfo) -> datetime | None:
        """As of when its figures are. None: as of now."""
        return self.as_of.astimezone(zone) if self.is_behind else None


class SnapshotUser(models.Model):
    """A row of the users' table, with everything that it can be ordered by."""

    snapshot = models.ForeignKey(Snapshot, models.CASCADE, related_name="rows", db_constraint=False, db_index=False)
    number = models.IntegerField()  # in the order of names, from 1 on
    # Not constrained, and so no reason to be known: a left join.
    customer = models.ForeignKey(
        Customer, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    end_user = models.TextField(null=True)
    # As in Figures
    requests = models.BigIntegerField()
    refused = models.BigIntegerField()
    failed = models.BigIntegerField()
    client_errors = models.BigIntegerField()
    rate_limited = models.BigIntegerField()
    server_errors = models.BigIntegerField()
    cancelled = models.BigIntegerField()
    unfinished = models.BigIntegerField()
    streamed = models.BigIntegerField()
    unpriced = models.BigIntegerField()
    estimated = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    cost = AmountField()
    price = AmountField()
    latency_ms = models.BigIntegerField()
    first_token_ms = models.BigIntegerField()
    first_tokens = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    # What else the table is ordered by
    answered = models.BigIntegerField()
    errors = models.BigIntegerField()
    error_rate = models.FloatField(null=True)
    tokens = models.BigIntegerField()
    tokens_per_request = models.FloatField(null=True)
    margin = AmountField()
    cost_per_request = models.FloatField(null=True)
    price_per_request = models.FloatField(null=True)
    average_latency_ms = models.FloatField(null=True)
    average_first_token_ms = models.FloatField(null=True)
    growth = models.BigIntegerField()
    active_days = models.IntegerField()
    requests_per_active_day = models.FloatField()
    # Buckets of histograms, and how many requests are in them
    latency_p50 = models.SmallIntegerField(null=True)
    latency_p95 = models.SmallIntegerField(null=True)
    latency_p99 = models.SmallIntegerField(null=True)
    timed = models.BigIntegerField(default=0)
    # Numbers are read a hundred times as fast as times are, of which a page would have thousands.
    days = ArrayField(models.IntegerField())  # with a request, in order: the number that `date.toordinal` gives
    on_days = ArrayField(models.BigIntegerField())  # how many

    class Meta:
        constraints = (models.UniqueConstraint(fields=["snapshot", "number"], name="snapshot_user_once"),)

    def __str__(self) -> str:
        return self.end_user or "nobody named"


class SnapshotOrder(models.Model):
    """The numbers of all users in an order of the table, so that none of its pages sorts anything."""

    snapshot = models.ForeignKey(Snapshot, models.CASCADE, related_name="orders", db_constraint=False, db_index=False)
    order = models.TextField()  # "-" before it: the largest first
    numbers = ArrayField(models.IntegerField())

    class Meta:
        constraints = (models.UniqueConstraint(fields=["snapshot", "order"], name="snapshot_order_once"),)

    def __str__(self) -> str:
        return self.order
