"""What is remembered of usage that was sent, so that it counts once however often it is sent."""

from django.db import models
from django.utils import timezone

from apps.accounts.models import Organization


class SentEvent(models.Model):
    """That an event came in. Its id is made of the sender's key for it, and is the id of the request too.

    The same event sent again finds its row here, whatever time it now says that it began at. Rows are forgotten once
    the event would be too old to be taken anyway; see `ingest.services`.
    """

    id = models.UUIDField(primary_key=True)
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    content = models.BinaryField()  # a hash of all it said: another event under the same key is told from this one
    sent_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["sent_at"], name="sent_event_by_age")]

    def __str__(self) -> str:
        return str(self.id)
