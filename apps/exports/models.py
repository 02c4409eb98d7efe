"""Requests as a file that somebody asked for: made by workers piece by piece, kept a while, then forgotten.

Its pieces are in PostgreSQL, since workers and web processes may be on other machines; each is a whole gzip
member, so that the file is one after the other. A worker that dies leaves whole pieces, and the place after them.
"""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, User
from apps.customers.models import Customer
from apps.kit.models import IdentifiedModel


class Export(IdentifiedModel):
    """What was asked for, and how far it is."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        JSONL = "jsonl", "JSONL"

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Being written")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Failed")

    UNDER_WAY = (State.QUEUED, State.RUNNING)

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="exports")
    customer = models.ForeignKey(  # whose portal it was asked for in, and so whose columns it has; None: the console
        Customer, models.CASCADE, null=True, related_name="exports"
    )
    asked_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    filters = models.JSONField(default=dict)  # as the explorer's address has them
    format = models.CharField(max_length=8, choices=Format)
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    rows = models.PositiveBigIntegerField(default=0)  # that are written
    rows_expected = models.PositiveBigIntegerField(null=True)  # about; PostgreSQL's guess
    size = models.PositiveBigIntegerField(default=0)  # bytes, compressed
    is_cut = models.BooleanField(default=False)  # there were more than one export may have
    last_at = models.DateTimeField(null=True)  # when the last request that is written began
    last_id = models.UUIDField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=200, blank=True)  # why it failed, for whoever asked
    created_at = models.DateTimeField(default=timezone.now, editable=False)  # requests that began later aren't in it
    moved_at = models.DateTimeField(default=timezone.now, editable=False)  # when something was last done about it
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "customer", "created_at"], name="export_of_tenant"),
            models.Index(fields=["moved_at"], name="export_under_way", condition=Q(state__in=["queued", "running"])),
            models.Index(fields=["expires_at"], name="export_by_end"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_at=None, last_id=None) | Q(last_at__isnull=False, last_id__isnull=False),
                name="export_has_a_whole_place",
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="export_expires_later"),
        ]

    def __str__(self) -> str:
        return f"requests-{self.created_at:%Y%m%d-%H%M%S}.{self.format}"

    @property
    def is_under_way(self) -> bool:
        return self.state in self.UNDER_WAY

    @property
    def percent(self) -> int | None:
        """How much of it is written, about; None: nobody knows."""
        if self.state == self.State.DONE:
            return 100
        if not self.rows_expected:
            return None
        return min(99, 100 * self.rows // self.rows_expected)

    def is_ready(self, at: datetime) -> bool:
        """Whether there is a file to be had."""
        return self.state == self.State.DONE and at < self.expires_at


class ExportPiece(models.Model):
    """Some lines of the file, compressed. The first one begins with the names of the columns."""

    export = models.ForeignKey(Export, models.CASCADE, related_name="pieces")
    number = models.PositiveIntegerField()  # from 1
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="export_piece_once")]

    def __str__(self) -> str:
        return f"{self.export_id} {self.number}"
