"""The zones that periods are of, and what was billed by days of another one."""

import django.db.models.deletion
from django.db import migrations, models

import apps.kit.fields

APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_movedday
    FOR EACH ROW EXECUTE FUNCTION tollgate_append_only();
"""
# What was billed until now was billed in the zone that each organization has.
ZONES = """
INSERT INTO billing_billedzone (organization_id, time_zone, since_on)
SELECT id, time_zone, DATE '2000-01-01' FROM accounts_organization;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_on_client_gone"),
        ("billing", "0002_rules_in_the_database"),
        ("customers", "0006_fees"),
    ]

    operations = [
        migrations.AddField("drawnday", "moved", apps.kit.fields.AmountField(default=0)),
        migrations.CreateModel(
            name="BilledZone",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("time_zone", models.CharField(max_length=64)),
                ("since_on", models.DateField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="billed_zones",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "since_on"), name="billed_zone_from_a_day_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="MovedDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateTimeField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("sold_as", models.TextField()),
                ("requests", models.BigIntegerField()),
                ("tokens", models.JSONField(default=dict)),
                ("price", apps.kit.fields.AmountField()),
                ("from_credit", apps.kit.fields.AmountField(default=0)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moved_days",
                        to="customers.customer",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="moved_days", to="billing.invoice"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["customer", "day"], name="moved_days_of_customer")],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, "DROP TRIGGER append_only ON billing_movedday;"),
        migrations.RunSQL(ZONES, migrations.RunSQL.noop),
    ]
