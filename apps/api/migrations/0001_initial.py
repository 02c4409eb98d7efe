import django.core.serializers.json
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import apps.kit.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyedRequest",
            fields=[
                (
                    "id",
                    models.UUIDField(default=apps.kit.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("customer_id", models.UUIDField(blank=True, null=True)),
                ("key", models.CharField(max_length=128)),
                ("content_hash", models.BinaryField(max_length=32)),
                ("status", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "answer",
                    models.JSONField(blank=True, encoder=django.core.serializers.json.DjangoJSONEncoder, null=True),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="keyed_requests_oldest_first")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "customer_id", "key"),
                        name="request_of_a_key_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
    ]
