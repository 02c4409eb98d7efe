"""Who may do what: people, the organizations they belong to, and what they did."""

from functools import cache
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.actions import action_name
from apps.kit.models import IdentifiedModel

MOST_RETRIES = 5


@cache
def time_zones() -> tuple[str, ...]:
    """The names of the IANA time zone database, in order. Read once: they are hundreds of files."""
    return tuple(sorted(available_timezones() - {"localtime"}))  # which is whatever a host says it is


def validate_time_zone(name: str) -> None:
    """Refuse what is not a name of the IANA time zone database."""
    if name not in time_zones():
        raise ValidationError(_("“%(name)s” is not a time zone."), params={"name": name}, code="time_zone")


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A person who signs in with `email`; without a password, by invitation or reset only.

        Raises ValidationError, for an address that somebody signs in with already too.
        """
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.full_clean()
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A person who sees the platform admin: for whoever runs the installation, not for operators."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by e-mail address. What they may see follows from their memberships."""

    email = models.EmailField(_("e-mail address"), max_length=254)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    joined_at = models.DateTimeField(default=timezone.now)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique",
                violation_error_message=_("There is an account with this address already."),
            )
        ]

    def __str__(self) -> str:
        return self.name or self.email


def usual_retry_statuses() -> list[int]:
    """What providers answer when the same may go better a moment later."""
    return [429, 500, 502, 503, 504, 529]


def validate_retry_status(status: int) -> None:
    """Raise ValidationError for a status after which the same call can only go the same way."""
    if status not in (408, 409, 425, 429) and not 500 <= status <= 599:
        raise ValidationError(
            _("%(status)s is not tried again: only 408, 409, 425, 429 and 500 to 599 are."),
            params={"status": status},
        )


class Organization(IdentifiedModel):
    """The tenant: an operator that resells LLM usage. All data hangs off one."""

    class LimiterOutage(models.TextChoices):
        REFUSE_CAPPED = "refuse_capped", _("Refuse customers with a spend cap, serve the others")
        SERVE_ALL = "serve_all", _("Serve everybody")
        REFUSE_ALL = "refuse_all", _("Refuse everybody")

    class ClientGone(models.TextChoices):
        READ_ON = "read_on", _("Read it on, to learn its cost")
        CUT_OFF = "cut_off", _("Cut it off at once, and estimate its cost")

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(max_length=63, unique=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    default_markup_percent = models.DecimalField(
        _("default markup"), max_digits=9, decimal_places=4, default=0, validators=[MinValueValidator(-100)]
    )
    on_limiter_outage = models.CharField(max_length=20, choices=LimiterOutage, default=LimiterOutage.REFUSE_CAPPED)
    on_client_gone = models.CharField(max_length=20, choices=ClientGone, default=ClientGone.READ_ON)
    retries = models.PositiveSmallIntegerField(_("retries"), default=0, validators=[MaxValueValidator(MOST_RETRIES)])
    retry_statuses = ArrayField(
        models.PositiveSmallIntegerField(validators=[validate_retry_status]),
        verbose_name=_("statuses that are tried again"),
        default=usual_retry_statuses,
        blank=True,
    )
    retry_wait_ms = models.PositiveIntegerField(_("first wait"), default=500, validators=[MinValueValidator(50)])
    retry_most_wait_ms = models.PositiveIntegerField(
        _("longest wait"), default=10_000, validators=[MaxValueValidator(60_000)]
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(default_markup_percent__gte=-100), name="organization_markup_leaves_a_price"
            ),
            models.CheckConstraint(condition=Q(retries__lte=MOST_RETRIES), name="organization_retries_are_few"),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member of an organization may do; each role may do all that the ones after it may."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    BILLING = "billing", _("Billing")
    VIEWER = "viewer", _("Viewer")

    def includes(self, needed: "Role") -> bool:
        """Whether a member with this role may do what `needed` is asked for."""
        ranks = list(Role)
        return ranks.index(self) <= ranks.index(needed)


class Member(IdentifiedModel):
    """A person in an organization."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="members")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="member_once")]

    def __str__(self) -> str:
        return f"{self.user} at {self.organization}"

    def may(self, needed: Role) -> bool:
        """Whether this member's role includes `needed`."""
        return Role(self.role).includes(needed)


class BaseInvitation(IdentifiedModel):
    """A link sent by e-mail, good once and until `expires_at`. Only the hash of its token is stored."""

    email = models.EmailField(_("e-mail address"))
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.email


class Invitation(BaseInvitation):
    """An invitation to work at an organization."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                F("organization"), Lower("email"), condition=Q(accepted_at=None), name="invitation_open_once"
            )
        ]


class AuditEvent(models.Model):
    """A change that matters: who, what, before and after; never a secret.

    Rows are only ever added: a trigger refuses the rest. They go when their organization goes, by the
    database's own cascade, and no other way; people and customers may go, so they are kept as ids.
    """

    organization = models.ForeignKey(  # the constraint, with its cascade, is in migration 0002
        Organization, models.DO_NOTHING, related_name="audit_events", db_constraint=False
    )
    customer_id = models.UUIDField(null=True, blank=True)  # whom it concerns; customers are a room above
    actor_id = models.BigIntegerField(null=True, blank=True)  # the user who did it; None: a command or process
    actor_label = models.CharField(max_length=254)  # the actor's e-mail then, or "command line"
    action = models.CharField(max_length=64)  # such as "customer.add"
    target_type = models.CharField(max_length=32)
    target_id = models.CharField(max_length=64)
    target_label = models.CharField(max_length=254, blank=True)
    changes = models.JSONField(default=dict, encoder=DjangoJSONEncoder)  # {"field": [before, after]}
    ip = models.GenericIPAddressField(null=True, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-at"], name="audit_newest_first"),
            models.Index(fields=["organization", "customer_id", "-at"], name="audit_of_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_label}"

    @property
    def action_name(self) -> str:
        """What was done, in words."""
        return action_name(self.action)
