"""What the API remembers: requests that may come again."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from apps.accounts.models import Organization
from apps.kit.models import IdentifiedModel


class KeyedRequest(IdentifiedModel):
    """A request that came with an `Idempotency-Key`, and how it was answered: v1/once.py.

    Of what asks others, a payment provider, it is there before that is done, and its id is that of what is made.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    customer_id = models.UUIDField(null=True, blank=True)  # whose token it was; None: the organization's own
    key = models.CharField(max_length=128)
    content_hash = models.BinaryField(max_length=32)  # of the method, the path and the body
    status = models.PositiveSmallIntegerField(null=True, blank=True)  # None: not answered yet
    answer = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)  # without what is shown once
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "customer_id", "key"], name="request_of_a_key_once", nulls_distinct=False
            )
        ]
        indexes = [models.Index(fields=["created_at"], name="keyed_requests_oldest_first")]

    def __str__(self) -> str:
        return self.key
