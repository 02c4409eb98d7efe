"""Customers see the names that models are sold to them under, not what stands behind those."""

from django.db import migrations, models

# Nothing was sold under another name before.
AS_SERVED = "UPDATE usage_hourlyusage SET sold_as = model"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_on_client_gone"),
        ("usage", "0002_refused_requests"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="hourlyusage", name="hourly_usage_once"),
        migrations.AddField(
            model_name="hourlyusage", name="sold_as", field=models.TextField(default=""), preserve_default=False
        ),
        migrations.RunSQL(AS_SERVED, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="hourlyusage",
            constraint=models.UniqueConstraint(
                fields=[
                    "organization",
                    "hour",
                    "customer_id",
                    "proxy_key_id",
                    "provider",
                    "model",
                    "sold_as",
                    "end_user",
                ],
                name="hourly_usage_once",
                nulls_distinct=False,
            ),
        ),
    ]
