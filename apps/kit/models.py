"""The base of models that appear in URLs and APIs."""

from django.db import models

from apps.kit.ids import uuid7


class IdentifiedModel(models.Model):
    """A model whose primary key tells nothing but its age, so that it can be shown."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)

    class Meta:
        abstract = True
