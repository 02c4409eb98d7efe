"""The history of refusals is read newest first, among many times as many requests that were served."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_rules_in_the_database"),
        ("usage", "0001_initial"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="request",
            index=models.Index(
                condition=models.Q(("result", 2)), fields=["organization", "started_at"], name="request_refused"
            ),
        ),
    ]
