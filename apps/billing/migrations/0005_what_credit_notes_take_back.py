"""What credit notes take back of days that are invoiced, and what an invoice's discount is made of."""

import django.core.serializers.json
import django.db.models.deletion
from django.db import migrations, models

import apps.kit.fields

RULES = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_creditedday
    FOR EACH ROW EXECUTE FUNCTION tollgate_append_only();
"""
NO_RULES = "DROP TRIGGER append_only ON billing_creditedday;"


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0004_payment_providers"),
        ("customers", "0006_fees"),
    ]

    operations = [
        migrations.AddField(
            model_name="invoice",
            name="discounts",
            field=models.JSONField(default=list, encoder=django.core.serializers.json.DjangoJSONEncoder),
        ),
        migrations.CreateModel(
            name="CreditedDay",
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
                    "credit_note",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="days", to="billing.creditnote"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credited_days",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["customer", "day"], name="credited_days_of_customer")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("credit_note", "day", "provider", "model", "sold_as"), name="credited_day_once"
                    )
                ],
            },
        ),
        migrations.RunSQL(RULES, NO_RULES),
    ]
