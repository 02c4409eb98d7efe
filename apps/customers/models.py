"""Customers of an operator: whom it sells to, what they may use, and their people."""

from decimal import Decimal
from typing import Self

from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import MOST_RETRIES, BaseInvitation, Organization, User
from apps.customers.limit_fields import LIMITS, AccessFields, LimitFields
from apps.kit.fields import AmountField
from apps.kit.models import IdentifiedModel


class CustomerQuerySet(models.QuerySet["Customer"]):
    def live(self) -> Self:
        """Customers whose calls are let through."""
        return self.filter(suspended_at=None)


class Customer(LimitFields, AccessFields, IdentifiedModel):
    """A client of an organization."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="customers")
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(max_length=63)
    email = models.EmailField(_("e-mail address"), blank=True)
    markup_percent = models.DecimalField(  # None: the organization's default
        _("markup"),
        max_digits=9,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(-100)],
    )
    shortens_output = models.BooleanField(_("shorten answers that would not fit under a cap"), default=False)
    retries = models.PositiveSmallIntegerField(  # None: as many as the organization's
        _("retries"), null=True, blank=True, validators=[MaxValueValidator(MOST_RETRIES)]
    )
    monthly_fee = AmountField(  # in USD, beside what it pays for usage; only profits know of it, until there are plans
        _("subscription a month"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    suspended_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = CustomerQuerySet.as_manager()

    LIMITS = LIMITS

    class Meta:
        constraints = [
            *LimitFields.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "slug"], name="customer_slug_unique"),
            # so that rows which point at a customer can be held to its organization (keys, migration 0002)
            models.UniqueConstraint(fields=["organization", "id"], name="customer_of_organization"),
            models.CheckConstraint(
                condition=Q(markup_percent=None) | Q(markup_percent__gte=-100),
                name="customer_markup_leaves_a_price",
            ),
            models.CheckConstraint(
                condition=Q(retries=None) | Q(retries__lte=MOST_RETRIES), name="customer_retries_are_few"
            ),
            models.CheckConstraint(
                condition=Q(monthly_fee=None) | Q(monthly_fee__gte=0), name="customer_fee_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def effective_markup_percent(self) -> Decimal:
        """Its own markup, else the organization's default."""
        own = self.markup_percent
        return self.organization.default_markup_percent if own is None else own

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None


class CustomerRole(models.TextChoices):
    """What a member of a customer may do; each role may do all that the ones after it may."""

    ADMIN = "admin", _("Admin")
    DEVELOPER = "developer", _("Developer")
    VIEWER = "viewer", _("Viewer")

    def includes(self, needed: "CustomerRole") -> bool:
        """Whether a member with this role may do what `needed` is asked for."""
        ranks = list(CustomerRole)
        return ranks.index(self) <= ranks.index(needed)


class CustomerMember(IdentifiedModel):
    """A person of a customer: sees that customer's portal and nothing else."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="members")
    user = models.ForeignKey(User, models.CASCADE, related_name="customer_memberships")
    role = models.CharField(max_length=10, choices=CustomerRole, default=CustomerRole.ADMIN)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["customer", "user"], name="customer_member_once")]

    def __str__(self) -> str:
        return f"{self.user} at {self.customer}"

    def may(self, needed: CustomerRole) -> bool:
        """Whether this member's role includes `needed`."""
        return CustomerRole(self.role).includes(needed)


class CustomerInvitation(BaseInvitation):
    """An invitation to a customer's portal."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=10, choices=CustomerRole, default=CustomerRole.ADMIN)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                F("customer"),
                Lower("email"),
                condition=Q(accepted_at=None),
                name="customer_invitation_open_once",
            )
        ]


class EndUser(IdentifiedModel):
    """What is known of an end user besides its usage. Most have no row: whoever calls is an end user."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="end_users")
    name = models.TextField()  # as its calls name it
    blocked_at = models.DateTimeField(null=True, blank=True)
    block_reason = models.CharField(_("reason"), max_length=500, blank=True)
    is_blocked_by_operator = models.BooleanField(default=False)  # only the operator lets it in again
    note = models.TextField(_("note"), blank=True, validators=[MaxLengthValidator(2000)])  # the customer's own people's
    operator_note = models.TextField(  # which the customer doesn't see
        _("note"), blank=True, validators=[MaxLengthValidator(2000)]
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "name"], name="end_user_known_once"),
            models.CheckConstraint(condition=~Q(name=""), name="end_user_has_a_name"),
        ]
        indexes = [
            models.Index(fields=["customer"], name="end_user_blocked", condition=Q(blocked_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_blocked(self) -> bool:
        return self.blocked_at is not None


class PlanFee(IdentifiedModel):
    """What each end user on a plan pays a month: on the plan is whose calls have the property's value.

    The operator has such fees (for users of all its customers), and each customer has its own, which
    its operator doesn't see.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="plan_fees")
    customer = models.ForeignKey(  # None: the operator's
        Customer, models.CASCADE, null=True, blank=True, related_name="plan_fees"
    )
    name = models.TextField()  # the property's, lower-case
    value = models.TextField()
    monthly_fee = AmountField(validators=[MinValueValidator(0)])  # USD

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "customer", "name", "value"], name="plan_fee_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(monthly_fee__gte=0), name="plan_fee_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.name}={self.value}"
