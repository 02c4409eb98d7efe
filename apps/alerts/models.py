"""Alerts: rules, what fired, what was found, where it is told, and each message that goes out."""

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, User
from apps.alerts.terms import (
    THRESHOLDS,
    Action,
    Comparison,
    Direction,
    EventKind,
    FindingKind,
    Grouping,
    Metric,
    Subject,
)
from apps.billing.models import Dispute, Payment
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.keys.sealed import SealedFields
from apps.kit.models import IdentifiedModel

OWN = Q(is_customers=False)


class Owned(models.Model):
    """Whose it is: the operator's, or, with `is_customers`, that customer's own, made in its portal."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="%(class)ss")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="%(class)ss", null=True, blank=True)
    is_customers = models.BooleanField(default=False, editable=False)
    name = models.CharField(_("name"), max_length=80)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(is_customers=False) | Q(customer__isnull=False), name="%(class)s_of_a_customer_names_it"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Channel(SealedFields, Owned, IdentifiedModel):
    """Where alerts are told. Slack's address and a webhook's signing secret are sealed, never shown again."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("E-mail")
        SLACK = "slack", _("Slack, or what takes its webhooks")
        WEBHOOK = "webhook", _("Signed webhook")

    kind = models.CharField(max_length=10, choices=Kind)
    address = models.CharField(_("address"), max_length=500)  # shown: of Slack, its host and last four
    is_paused = models.BooleanField(default=False)
    held_until = models.DateTimeField(null=True, editable=False)  # it failed: what waits for it waits till then
    failures = models.PositiveIntegerField(default=0, editable=False)  # in a row
    skipped = models.PositiveBigIntegerField(default=0, editable=False)  # sampled requests: too many waited already

    PURPOSE: ClassVar = "alert_channel"

    class Meta(Owned.Meta):
        pass


class AlertRuleQuerySet(models.QuerySet["AlertRule"]):
    def due(self, at: datetime, since: datetime) -> Self:
        """Rules to evaluate at `at`: not paused, and not evaluated from `since` on."""
        return self.filter(paused_at=None).filter(Q(evaluated_at=None) | Q(evaluated_at__lt=since))


class AlertRule(Owned, IdentifiedModel):
    """When to tell, whom, and what to do. `customer`: whose usage it looks at; None: everybody's."""

    metric = models.CharField(_("what"), max_length=20, choices=Metric)
    window_minutes = models.PositiveIntegerField(
        _("within"), default=60, validators=[MinValueValidator(5), MaxValueValidator(43_200)]
    )
    model = models.CharField(_("model"), max_length=128, blank=True)  # "": any; of a customer's rule, as sold
    end_user = models.CharField(_("end user"), max_length=512, blank=True)
    proxy_key = models.ForeignKey(ProxyKey, models.CASCADE, null=True, blank=True, related_name="+")
    property_name = models.CharField(_("property"), max_length=128, blank=True)
    property_value = models.CharField(_("its value"), max_length=512, blank=True)
    group_by = models.CharField(_("judged for"), max_length=10, choices=Grouping, blank=True)
    min_requests = models.PositiveIntegerField(_("at least so many requests"), default=1)
    direction = models.CharField(max_length=5, choices=Direction, default=Direction.ABOVE)
    comparison = models.CharField(_("compared with"), max_length=10, choices=Comparison, default=Comparison.ABSOLUTE)
    threshold = models.DecimalField(_("threshold"), max_digits=24, decimal_places=6, null=True, blank=True)
    thresholds = ArrayField(  # of a limit, in percent
        models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(100)]),
        blank=True,
        default=list,
    )
    limit_name = models.CharField(_("limit"), max_length=24, blank=True)  # "": any spend cap
    finding_kinds = ArrayField(
        models.CharField(max_length=20, choices=FindingKind), blank=True, default=list
    )  # []: all
    action = models.CharField(_("and then"), max_length=10, choices=Action, blank=True)
    action_limit = models.PositiveIntegerField(_("to so many a minute"), null=True, blank=True)
    tells_resolved = models.BooleanField(_("tell when it is over"), default=True)
    channels = models.ManyToManyField(Channel, related_name="rules", blank=True)
    muted_until = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    evaluated_at = models.DateTimeField(null=True, editable=False)
    problem = models.CharField(max_length=200, blank=True, editable=False)  # why the last evaluation came to nothing

    objects = AlertRuleQuerySet.as_manager()

    class Meta(Owned.Meta):
        constraints: ClassVar = [
            *Owned.Meta.constraints,
            models.CheckConstraint(
                condition=OWN | ~Q(metric__in=[Metric.COST, Metric.MARGIN]), name="alertrule_of_a_customer_sees_no_cost"
            ),
            models.CheckConstraint(
                condition=Q(metric__in=[Metric.LIMIT, Metric.FINDINGS]) | Q(threshold__isnull=False),
                name="alertrule_has_a_threshold",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["evaluated_at"], name="alertrule_due", condition=Q(paused_at=None))]

    def is_muted(self, at: datetime) -> bool:
        return self.muted_until is not None and at < self.muted_until

    @property
    def percent_thresholds(self) -> list[int]:
        """Of a limit, in order."""
        return sorted(set(self.thresholds)) or list(THRESHOLDS)


class AlertEvent(IdentifiedModel):
    """That a rule fired for one of its groups: from `fired_at` until it was quiet for a while."""

    rule = models.ForeignKey(AlertRule, models.CASCADE, related_name="events")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    group = models.TextField()  # what it is about, for programs; "": all together
    group_label = models.TextField()
    subject = models.CharField(max_length=10, choices=Subject, blank=True)  # whom an action would be for
    subject_id = models.TextField(blank=True)  # the customer's or key's id, or the end user's name
    customer_id = models.UUIDField(null=True)  # whose subject it is
    value = models.DecimalField(max_digits=30, decimal_places=6)
    threshold = models.DecimalField(max_digits=30, decimal_places=6)  # that was passed, in the metric's own unit
    baseline = models.DecimalField(max_digits=30, decimal_places=6, null=True)
    requests = models.BigIntegerField(default=0)
    since = models.DateTimeField()  # of the window
    fired_at = models.DateTimeField()
    quiet_since = models.DateTimeField(null=True)  # it would not fire any more from here on
    resolved_at = models.DateTimeField(null=True)
    is_told = models.BooleanField(default=True)  # False: muted, or a higher threshold was passed at once
    action = models.CharField(max_length=10, choices=Action, blank=True)
    action_result = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rule", "group", "fired_at"], name="alertevent_once"),
            models.UniqueConstraint(
                fields=["rule", "group"], condition=Q(resolved_at=None), name="alertevent_open_once"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "-fired_at"], name="alertevent_newest_first")]

    def __str__(self) -> str:
        return f"{self.rule}: {self.group_label}" if self.group_label else str(self.rule)

    @property
    def is_firing(self) -> bool:
        return self.resolved_at is None


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, at: datetime) -> Self:
        """Those to be sent now: waiting, or claimed by who has not come back."""
        waiting = self.filter(state=Delivery.State.WAITING, next_at__lte=at, channel__is_paused=False)
        return waiting.filter(Q(channel__held_until=None) | Q(channel__held_until__lte=at))


class Delivery(IdentifiedModel):
    """A message for one channel, written with what it tells of and sent until the receiver takes it.

    `event_key` names what happened: for a channel it is there once, so nothing is told twice.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Given up")

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(AlertEvent, models.CASCADE, null=True, related_name="deliveries")
    kind = models.CharField(max_length=24, choices=EventKind)
    event_key = models.CharField(max_length=200)
    title = models.CharField(max_length=300)
    payload = models.JSONField(encoder=DjangoJSONEncoder)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)  # while somebody sends it: when it is anybody's again
    claim = models.UUIDField(null=True)  # of who sends it
    status = models.PositiveSmallIntegerField(null=True)  # HTTP, of the last try
    answer = models.CharField(max_length=1024, blank=True)  # the beginning of it, or what went wrong
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["channel", "event_key"], name="delivery_once")]
        indexes: ClassVar = [
            models.Index(fields=["next_at"], name="delivery_due", condition=Q(state="waiting")),
            models.Index(fields=["channel", "-created_at"], name="delivery_newest_first"),
            models.Index(fields=["created_at"], name="delivery_by_age"),
        ]

    def __str__(self) -> str:
        return self.title


class EventSubscription(Owned, IdentifiedModel):
    """Things that happen, told to a channel as they do."""

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="subscriptions")
    kinds = ArrayField(models.CharField(max_length=24, choices=EventKind))
    sample_percent = models.DecimalField(  # of requests recorded
        _("sample"),
        max_digits=7,
        decimal_places=4,
        default=100,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    is_paused = models.BooleanField(default=False)

    class Meta(Owned.Meta):
        pass


class KeyHappening(models.Model):
    """A key that was made or revoked, put here by a trigger in the change's own transaction, until it is told."""

    kind = models.CharField(max_length=24)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    proxy_key = models.ForeignKey(ProxyKey, models.CASCADE, related_name="+")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} {self.proxy_key_id}"


class MoneyHappening(models.Model):
    """A payment that failed or is disputed, put here by a trigger in the change's own transaction, until it is told."""

    kind = models.CharField(max_length=24)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    payment = models.ForeignKey(Payment, models.CASCADE, related_name="+")
    dispute = models.ForeignKey(Dispute, models.CASCADE, null=True, related_name="+")
    state = models.CharField(max_length=10)  # that the payment or the dispute came to
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} {self.payment_id}"


class ToldBatch(models.Model):
    """A batch of requests that subscriptions were told of."""

    batch_id = models.BigIntegerField(primary_key=True)
    told_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.batch_id)


class KeyNetwork(models.Model):
    """A network that a key was used from: a /24, or a /48 of IPv6."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", db_index=False)
    proxy_key = models.ForeignKey(ProxyKey, models.CASCADE, related_name="networks", db_index=False)
    network = models.CharField(max_length=50)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["proxy_key", "network"], name="keynetwork_once")]
        indexes: ClassVar = [models.Index(fields=["organization", "last_seen_at"], name="keynetwork_lately")]

    def __str__(self) -> str:
        return self.network


class Finding(IdentifiedModel):
    """Something that looks like abuse, with the figures that make it so. One for a subject's episode."""

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        ACKNOWLEDGED = "acknowledged", _("Acknowledged")
        DISMISSED = "dismissed", _("Dismissed")

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="findings")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="findings")
    kind = models.CharField(max_length=20, choices=FindingKind)
    subject = models.CharField(max_length=10, choices=Subject)
    subject_id = models.TextField()
    subject_label = models.TextField()
    figures = models.JSONField(encoder=DjangoJSONEncoder)  # see anomalies/judging.py: Evidence
    severity = models.PositiveSmallIntegerField(default=1)  # 1: look at it; 2: act
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    action = models.CharField(max_length=10, choices=Action, blank=True)  # that was taken, by hand

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer", "kind", "subject", "subject_id"],
                condition=Q(ended_at=None),
                name="finding_open_once",
            )
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "-last_seen_at"], name="finding_newest_first")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject_label}"

    @property
    def key_id(self) -> UUID | None:
        return UUID(self.subject_id) if self.subject == Subject.KEY else None
