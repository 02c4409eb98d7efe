"""What was used: requests by the million, the batches they came in, and how they ended. The sums are in `sums.py`."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.kit.fields import AmountField
from apps.usage.keeping import DayCardinality, ForgottenSpend, Keeping, KnownValue, RequestsHorizon
from apps.usage.segment import HEADER_BYTES
from apps.usage.snapshot import Snapshot, SnapshotOrder, SnapshotUser
from apps.usage.sums import (
    DailyCustomer,
    DailyModel,
    DailyPropertyUsage,
    DailyTotal,
    DailyUsage,
    HourlyPropertyUsage,
    HourlyUsage,
    UsageMeasures,
)

__all__ = [
    "TOKEN_KINDS",
    "Batch",
    "DailyCustomer",
    "DailyModel",
    "DailyPropertyUsage",
    "DailyTotal",
    "DailyUsage",
    "DayCardinality",
    "DeadLetter",
    "ForgottenSpend",
    "HourlyPropertyUsage",
    "HourlyUsage",
    "Keeping",
    "KnownValue",
    "PropertyName",
    "Request",
    "RequestsHorizon",
    "Result",
    "Snapshot",
    "SnapshotOrder",
    "SnapshotUser",
    "Spool",
    "UsageMeasures",
    "UsageSource",
]

TOKEN_KINDS = (  # disjoint: a token is of exactly one kind
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "cache_write",
    "input_audio",
    "input_image",
    "output",
    "reasoning",
    "output_audio",
    "output_image",
)


class Spool(models.Model):
    """How far a process's spool has been shipped: kept here so that it moves with the rows it describes."""

    id = models.UUIDField(primary_key=True)
    segment = models.PositiveIntegerField(default=1)
    offset = models.PositiveBigIntegerField(default=HEADER_BYTES)
    keep_from = models.PositiveIntegerField(default=1)  # the first segment that what comes after may need
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)  # its process is gone and all it held is shipped

    def __str__(self) -> str:
        return f"{self.id} {self.segment}:{self.offset}"


class Batch(models.Model):
    """Requests that came in one transaction, and whether they are in the roll-ups."""

    spool = models.ForeignKey(Spool, models.PROTECT, related_name="batches", null=True)  # None: they were sent to us
    segment = models.PositiveIntegerField()
    start = models.PositiveBigIntegerField()
    end = models.PositiveBigIntegerField()
    rows = models.PositiveIntegerField()
    keep_from = models.PositiveIntegerField()  # the spool's, then: what shipping again from `end` would need
    first_started_at = models.DateTimeField()
    last_started_at = models.DateTimeField()
    shipped_at = models.DateTimeField(default=timezone.now)
    rolled_up_at = models.DateTimeField(null=True)
    # The proxy charges its calls to the counters of spend itself; what was sent is charged after it was stored.
    is_to_be_charged = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["spool", "segment", "start"], name="batch_shipped_once"),
        ]
        indexes = [
            models.Index(fields=["id"], name="batch_to_roll_up", condition=models.Q(rolled_up_at=None)),
            models.Index(fields=["shipped_at"], name="batch_by_age"),
            models.Index(fields=["id"], name="batch_to_charge", condition=models.Q(is_to_be_charged=True)),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}: {self.rows} requests"


class DeadLetter(models.Model):
    """What a spool held and no request could be made of: kept whole, with the reason, for the operator to see."""

    spool_id = models.UUIDField()
    segment = models.PositiveIntegerField()
    start = models.PositiveBigIntegerField()
    frame = models.BinaryField()
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["spool_id", "segment", "start"], name="dead_letter_once"),
        ]

    def __str__(self) -> str:
        return self.reason


class AwaitedCall(models.Model):
    """A call that goes on at the provider after its answer, until its cost is known. See awaiting.py.

    `intent` and `awaited` are as in the spool.
    """

    id = models.UUIDField(primary_key=True)  # the call's
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="awaited_calls")
    customer_id = models.UUIDField()
    object_id = models.TextField()  # the provider's
    started_at = models.DateTimeField()
    leased_until = models.DateTimeField()  # by the process that looks after it
    intent = models.BinaryField()
    awaited = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["leased_until"], name="awaited_call_by_lease")]

    def __str__(self) -> str:
        return self.object_id


class Result(models.IntegerChoices):
    """How a request ended."""

    SERVED = 0, _("Served")
    FAILED = 1, _("Failed")  # the provider answered an error, or could not be reached
    REFUSED = 2, _("Refused")  # by us, before the provider was called
    CANCELLED = 3, _("Cancelled")  # the client went away before the end
    UNFINISHED = 4, _("Unfinished")  # our process died: what the provider did is not known


class UsageSource(models.IntegerChoices):
    """Where the token counts come from."""

    NONE = 0, _("None")
    REPORTED = 1, _("Reported")
    ESTIMATED = 2, _("Estimated")
    COUNTED = 3, _("Estimated, by the model’s vocabulary")


class Request(models.Model):
    """One metered call. Partitioned by month of `started_at`: the table is made by SQL in migration 0001.

    `cost` is what the provider charges, `price` what the customer pays, both in USD; None where
    the model's price was not known. Token counts are disjoint (see TOKEN_KINDS).
    """

    pk = models.CompositePrimaryKey("started_at", "id")
    id = models.UUIDField()
    started_at = models.DateTimeField()
    organization = models.ForeignKey(
        Organization, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    customer_id = models.UUIDField()
    proxy_key_id = models.UUIDField()
    provider_key_id = models.UUIDField(null=True)
    batch_id = models.BigIntegerField()
    provider = models.TextField()
    endpoint = models.TextField()  # the operation, such as "chat.completions"
    model = models.TextField()  # as asked for; "" where the call names none
    model_served = models.TextField()  # as the answer names it, else as asked for
    is_streamed = models.BooleanField()
    result = models.SmallIntegerField(choices=Result)
    status = models.SmallIntegerField()  # HTTP status given to the client; 0 where it got none
    error_code = models.TextField()
    error_message = models.TextField()
    latency_ms = models.IntegerField()
    first_token_ms = models.IntegerField(null=True)
    usage_source = models.SmallIntegerField(choices=UsageSource)
    input_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    cache_write_5m_tokens = models.BigIntegerField()
    cache_write_1h_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    input_audio_tokens = models.BigIntegerField()
    input_image_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    output_audio_tokens = models.BigIntegerField()
    output_image_tokens = models.BigIntegerField()
    cost = AmountField(null=True)
    price = AmountField(null=True)
    price_id = models.BigIntegerField(null=True)  # the ModelPrice that applied
    markup_percent = models.DecimalField(max_digits=9, decimal_places=4)  # what it is sold at where no rule applies
    end_user = models.TextField(null=True)
    properties = models.JSONField()  # {lower-case name: value}
    session_id = models.TextField(null=True)
    session_path = models.TextField(null=True)
    session_name = models.TextField(null=True)
    client_request_id = models.TextField(null=True)
    provider_request_id = models.TextField(null=True)
    client_ip = models.GenericIPAddressField(null=True)
    alias = models.TextField(null=True)  # what the client called the model, where that is a name of the organization's
    units = models.JSONField(default=dict)  # {name: count} of what is charged by the piece
    service_tier = models.TextField(default="")  # as the answer names it; "": the usual one
    provider_cost = AmountField(null=True)  # what the provider itself says that it charges
    attempts = models.JSONField(default=list)  # tries at the provider; none told: there was one
    rate_rule_id = models.BigIntegerField(null=True)  # the RateRule that it is sold by

    class Meta:
        db_table = "usage_request"
        indexes = [
            models.Index(fields=["batch_id"], name="request_of_batch"),
            models.Index(fields=["customer_id", "started_at"], name="request_of_customer"),
            models.Index(
                fields=["organization", "started_at"],
                name="request_without_price",
                condition=models.Q(cost=None) & ~models.Q(result__in=[Result.REFUSED, Result.UNFINISHED]),
            ),
            models.Index(
                fields=["organization", "started_at"], name="request_refused", condition=models.Q(result=Result.REFUSED)
            ),
            # The explorer's. Those with a condition cost nothing for the requests that it leaves out.
            models.Index(fields=["organization", "started_at"], name="request_of_organization"),
            models.Index(
                fields=["organization", "started_at"],
                name="request_not_served",
                condition=models.Q(result__gt=Result.SERVED),
            ),
            models.Index(
                fields=["customer_id", "end_user", "started_at"],
                name="request_of_end_user",
                condition=models.Q(end_user__isnull=False),
            ),
            models.Index(
                fields=["organization", "started_at"],
                name="request_in_session",
                condition=models.Q(session_id__isnull=False),
            ),
            models.Index(
                fields=["customer_id", "session_id", "started_at"],
                name="request_of_session",
                condition=models.Q(session_id__isnull=False),
            ),
            # A filter for each stretch of the table, made once it is full: a row costs it next to nothing.
            BrinIndex(
                fields=["id", "client_request_id", "provider_request_id"],
                name="request_by_id",
                opclasses=["uuid_bloom_ops", "text_bloom_ops", "text_bloom_ops"],
                pages_per_range=64,
                autosummarize=True,
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class PropertyName(models.Model):
    """How a property's name was written when it was first seen; names are the same whatever their case."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="property_names")
    name = models.TextField()  # lower-case
    label = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="property_name_once")]

    def __str__(self) -> str:
        return self.label
