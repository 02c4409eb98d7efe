"""The roll-ups: what requests sum up to, in an hour and in a day of the organization's time zone.

The database doesn't check the organization of each row: the roll-up joins with it, and that is enough.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.accounts.models import Organization
from apps.kit.fields import AmountField


class UsageMeasures(models.Model):
    """What is summed. Refused requests count in `requests` and `refused`, nowhere else."""

    requests = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)  # the three classes of errors together
    client_errors = models.BigIntegerField(default=0)  # failed, answered with 4xx other than 429
    rate_limited = models.BigIntegerField(default=0)  # failed, answered with the provider's 429
    server_errors = models.BigIntegerField(default=0)  # failed otherwise: 5xx, broken off, out of reach
    cancelled = models.BigIntegerField(default=0)
    unfinished = models.BigIntegerField(default=0)
    streamed = models.BigIntegerField(default=0)
    unpriced = models.BigIntegerField(default=0)  # that the provider was called for, at a price not known
    estimated = models.BigIntegerField(default=0)  # whose tokens were estimated by us
    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_5m_tokens = models.BigIntegerField(default=0)
    cache_write_1h_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    input_audio_tokens = models.BigIntegerField(default=0)
    input_image_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    output_audio_tokens = models.BigIntegerField(default=0)
    output_image_tokens = models.BigIntegerField(default=0)
    cost = AmountField(default=0)
    price = AmountField(default=0)
    latency_ms = models.BigIntegerField(default=0)  # sum over requests neither refused nor unfinished
    first_token_ms = models.BigIntegerField(default=0)  # sum over `first_tokens` requests
    first_tokens = models.BigIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        abstract = True


class UsageTimes(models.Model):
    """How long it took, as histograms that add up: see `histograms.py` for what an element says."""

    latencies = ArrayField(models.BigIntegerField(), default=list)  # of what is in `latency_ms`
    first_token_times = ArrayField(models.BigIntegerField(), default=list)  # of what is in `first_token_ms`

    class Meta:
        abstract = True


class UsageKeys(models.Model):
    """Everything that requests are told apart by, but for the end user and the properties."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="%(class)s_rows", db_constraint=False, db_index=False
    )
    customer_id = models.UUIDField()
    proxy_key_id = models.UUIDField()
    provider = models.TextField()
    model = models.TextField()  # as served
    sold_as = models.TextField()  # the alias that the customer called it by, else as served: what customers see

    class Meta:
        abstract = True


class HourlyUsage(UsageMeasures, UsageTimes, UsageKeys):
    """Sums for an hour by everything that a request is grouped by, but for its properties.

    `hour` is the instant at which an hour of the organization's time zone begins, so that whole hours make
    whole days also where clocks are half an hour off UTC.
    """

    hour = models.DateTimeField()
    end_user = models.TextField(null=True)  # None: the requests that name no user

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=[
                    "organization",
                    "hour",
                    "customer_id",
                    "proxy_key_id",
                    "provider",
                    "model",
                    "sold_as",
                    "end_user",
                ],
                name="hourly_usage_once",
                nulls_distinct=False,
            ),
        )
        indexes = (models.Index(fields=["customer_id", "hour"], name="hourly_usage_of_customer"),)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h {self.model}"


class DailyUsage(UsageMeasures, UsageTimes, UsageKeys):
    """The same for a day. `day` is the instant at which it begins in the organization's time zone."""

    day = models.DateTimeField()
    end_user = models.TextField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=[
                    "organization",
                    "day",
                    "customer_id",
                    "proxy_key_id",
                    "provider",
                    "model",
                    "sold_as",
                    "end_user",
                ],
                name="daily_usage_once",
                nulls_distinct=False,
            ),
        )
        indexes = (models.Index(fields=["customer_id", "end_user", "day"], name="daily_usage_of_user"),)

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.model}"


class DailyTotal(UsageMeasures, UsageTimes, UsageKeys):
    """The same for a day, of all end users together: what pages read that ask for none."""

    day = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["organization", "day", "customer_id", "proxy_key_id", "provider", "model", "sold_as"],
                name="daily_total_once",
            ),
        )
        indexes = (models.Index(fields=["customer_id", "day"], name="daily_total_of_customer"),)

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.model}"


class DailyCustomer(UsageMeasures, UsageTimes):
    """The same for a day and a customer, all else together: for overviews of many customers."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    day = models.DateTimeField()
    customer_id = models.UUIDField()

    class Meta:
        constraints = (
            models.UniqueConstraint(  # with what customers are ordered by: the rows, with their histograms, are large
                fields=["organization", "day", "customer_id"],
                include=["requests", "cost", "price"],
                name="daily_customer_once",
            ),
        )
        indexes = (models.Index(fields=["customer_id", "day"], name="daily_customer_by_day"),)

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.customer_id}"


class DailyModel(UsageMeasures, UsageTimes):
    """The same for a day and a model, of all customers together: a few rows a day, however many there are."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    day = models.DateTimeField()
    provider = models.TextField()
    model = models.TextField()
    sold_as = models.TextField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["organization", "day", "provider", "model", "sold_as"], name="daily_model_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.model}"


class HourlyPropertyUsage(UsageMeasures):
    """Sums for an hour by the value of a property and the end user, for `Plan=premium` and the like."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="hourly_property_usage", db_constraint=False, db_index=False
    )
    hour = models.DateTimeField()
    customer_id = models.UUIDField()
    name = models.TextField()  # lower-case
    value = models.TextField()
    end_user = models.TextField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["organization", "hour", "customer_id", "name", "value", "end_user"],
                name="hourly_property_usage_once",
                nulls_distinct=False,
            ),
        )
        indexes = (models.Index(fields=["customer_id", "name", "hour"], name="hourly_property_of_customer"),)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h {self.name}={self.value}"


class DailyPropertyUsage(UsageMeasures):
    """The same for a day of the organization's time zone."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="daily_property_usage", db_constraint=False, db_index=False
    )
    day = models.DateTimeField()
    customer_id = models.UUIDField()
    name = models.TextField()
    value = models.TextField()
    end_user = models.TextField(null=True)
    latencies = ArrayField(models.BigIntegerField(), default=list)  # as in UsageTimes; by hours there are none

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["organization", "name", "day", "customer_id", "value", "end_user"],
                name="daily_property_usage_once",
                nulls_distinct=False,
            ),
        )
        indexes = (models.Index(fields=["customer_id", "end_user", "day"], name="daily_property_of_user"),)

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.name}={self.value}"
