"""What of requests and answers is stored, for whom, and the stored bodies themselves: sealed, never in the open."""

from datetime import UTC, datetime

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, Role
from apps.bodies.patterns import LONGEST_PATTERN, MOST_PATTERNS, BadPattern, compiled
from apps.bodies.policy import MOST_KB, RETENTIONS
from apps.customers.models import Customer
from apps.keys.models import DataKey


class Kept(models.TextChoices):
    """Which bodies are stored."""

    NOTHING = "nothing", _("Nothing")
    BOTH = "both", _("Requests and answers")
    REQUESTS = "requests", _("Requests only")
    RESPONSES = "responses", _("Answers only")


def validate_pattern(pattern: str) -> None:
    """Raise ValidationError for a pattern that is none, or could take too long."""
    try:
        compiled(pattern)
    except BadPattern as error:
        raise ValidationError("%(pattern)s: %(why)s", params={"pattern": pattern, "why": error}) from None


def validate_few(patterns: list[str]) -> None:
    """Raise ValidationError for more patterns than can be looked for."""
    if len(patterns) > MOST_PATTERNS:
        raise ValidationError(_("At most %(most)d patterns."), params={"most": MOST_PATTERNS})


def _patterns() -> "ArrayField[list[str], list[str]]":
    return ArrayField(
        models.CharField(max_length=LONGEST_PATTERN, validators=[validate_pattern]),
        verbose_name=_("patterns"),
        default=list,
        blank=True,
        validators=[validate_few],
    )


CAP = [MinValueValidator(1), MaxValueValidator(MOST_KB)]
DAYS = [(days, str(days)) for days in RETENTIONS]


class BodyPolicy(models.Model):
    """What an organization stores of its customers' requests. No row: nothing."""

    organization = models.OneToOneField(Organization, models.CASCADE, primary_key=True, related_name="body_policy")
    keeps = models.CharField(_("stored"), max_length=10, choices=Kept, default=Kept.NOTHING)
    days = models.PositiveSmallIntegerField(_("days"), choices=DAYS, default=30)
    most_kb = models.PositiveSmallIntegerField(_("size"), default=64, validators=CAP)  # of each body
    hides_emails = models.BooleanField(_("e-mail addresses"), default=True)
    hides_cards = models.BooleanField(_("card numbers"), default=True)
    hides_keys = models.BooleanField(_("keys and tokens"), default=True)
    patterns = _patterns()
    open_to = models.CharField(max_length=10, choices=Role, default=Role.ADMIN)  # of its members, and those above
    is_open_to_customers = models.BooleanField(default=False)  # their admins see what is theirs
    erased_at = models.DateTimeField(null=True, editable=False)  # what began before is gone

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(most_kb__range=(1, MOST_KB)), name="body_policy_size_is_bounded"),
            models.CheckConstraint(condition=Q(days__in=RETENTIONS), name="body_policy_days_are_known"),
        ]

    def __str__(self) -> str:
        return f"{self.organization}: {self.get_keeps_display()}"


class CustomerBodyPolicy(models.Model):
    """What is taken away from that for one customer. No row, and whatever is empty: nothing."""

    customer = models.OneToOneField(Customer, models.CASCADE, primary_key=True, related_name="body_policy")
    keeps = models.CharField(_("stored"), max_length=10, choices=Kept, default=Kept.BOTH)  # of what the other keeps
    days = models.PositiveSmallIntegerField(_("days"), choices=DAYS, null=True, blank=True)
    most_kb = models.PositiveSmallIntegerField(_("size"), null=True, blank=True, validators=CAP)
    patterns = _patterns()
    erased_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(most_kb=None) | Q(most_kb__range=(1, MOST_KB)), name="customer_body_policy_size_is_bounded"
            ),
            models.CheckConstraint(
                condition=Q(days=None) | Q(days__in=RETENTIONS), name="customer_body_policy_days_are_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer}: {self.get_keeps_display()}"


class State(models.IntegerChoices):
    """What there is of a body: the numbers of kept.py."""

    WHOLE = 0, _("stored")
    CUT = 1, _("stored up to the size allowed")
    OMITTED = 2, _("not stored: the request asked for that")
    NOT_KEPT = 3, _("not stored: your settings")
    BINARY = 4, _("not stored: it is no text")
    EMPTY = 5, _("empty")


class StoredBodies(models.Model):
    """The bodies of one request, sealed under a data key (frame.py). Partitioned by the day on which they go.

    So what is kept for different lengths of time goes in whole tables; made by SQL in migration 0001.
    """

    id = models.UUIDField(primary_key=True)  # the request's; in the table with `last_day`, as partitions want it
    last_day = models.DateField()  # the first day (UTC) without them
    started_at = models.DateTimeField()  # when the request began
    organization = models.ForeignKey(
        Organization, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    customer_id = models.UUIDField()
    key = models.ForeignKey(DataKey, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False)
    sealed = models.BinaryField()
    request_state = models.SmallIntegerField(choices=State)
    request_size = models.BigIntegerField()  # bytes as they came
    request_type = models.TextField()
    request_redacted = models.BooleanField()  # something was taken out
    response_state = models.SmallIntegerField(choices=State)
    response_size = models.BigIntegerField()
    response_type = models.TextField()
    response_redacted = models.BooleanField()

    class Meta:
        db_table = "request_bodies"
        indexes = [
            models.Index(fields=["customer_id", "started_at"], name="request_bodies_of_customer"),
            models.Index(fields=["organization", "started_at"], name="request_bodies_by_age"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def gone_at(self) -> datetime:
        """The first instant without them."""
        return datetime(self.last_day.year, self.last_day.month, self.last_day.day, tzinfo=UTC)


class DroppedBodies(models.Model):
    """That bodies which should have been stored were not, and how many: there were too many at once."""

    id = models.UUIDField(primary_key=True)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="dropped_bodies")
    at = models.DateTimeField(default=timezone.now)
    bodies = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["at"], name="dropped_bodies_by_age")]

    def __str__(self) -> str:
        return f"{self.bodies} of {self.customer_id}"
