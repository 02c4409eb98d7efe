"""Searches for requests find what they need without a look at all others; what it costs is in docs/requests.md."""

import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_on_client_gone"),
        ("usage", "0005_keeping"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="request",
            index=models.Index(fields=["organization", "started_at"], name="request_of_organization"),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                condition=models.Q(("result__gt", 0)), fields=["organization", "started_at"], name="request_not_served"
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                condition=models.Q(("end_user__isnull", False)),
                fields=["customer_id", "end_user", "started_at"],
                name="request_of_end_user",
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                condition=models.Q(("session_id__isnull", False)),
                fields=["organization", "started_at"],
                name="request_in_session",
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                condition=models.Q(("session_id__isnull", False)),
                fields=["customer_id", "session_id", "started_at"],
                name="request_of_session",
            ),
        ),
        migrations.AddIndex(
            model_name="request",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True,
                fields=["id", "client_request_id", "provider_request_id"],
                name="request_by_id",
                opclasses=["uuid_bloom_ops", "text_bloom_ops", "text_bloom_ops"],
                pages_per_range=64,
            ),
        ),
    ]
