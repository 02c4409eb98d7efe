"""Payments that a customer's bank wants back."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import apps.kit.fields
import apps.kit.ids

ACCOUNTS = [
    ("credit", "Prepaid credit"),
    ("receivable", "Receivable"),
    ("cash", "Cash"),
    ("revenue", "Revenue"),
    ("tax", "Tax"),
    ("promotion", "Promotions"),
    ("breakage", "Expired credit"),
    ("exchange", "Currency exchange"),
    ("written_off", "Written off"),
    ("held", "Held for disputes"),
]
TRANSACTIONS = [
    ("top_up", "Top-up"),
    ("grant", "Credit given"),
    ("usage", "Usage"),
    ("expiry", "Credit expired"),
    ("adjustment", "Adjustment"),
    ("invoice", "Invoice"),
    ("void", "Invoice voided"),
    ("credit_note", "Credit note"),
    ("payment", "Payment"),
    ("refund", "Refund"),
    ("dispute", "Dispute"),
    ("write_off", "Written off"),
]


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_billed_zones")]

    operations = [
        migrations.AlterField("ledgeraccount", "kind", models.CharField(choices=ACCOUNTS, max_length=12)),
        migrations.AlterField("ledgertransaction", "kind", models.CharField(choices=TRANSACTIONS, max_length=12)),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                ("id", models.UUIDField(default=apps.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("provider_id", models.CharField(max_length=128)),
                (
                    "state",
                    models.CharField(
                        choices=[("inquiry", "The bank asks"), ("open", "Open"), ("won", "Won"), ("lost", "Lost")],
                        max_length=8,
                    ),
                ),
                ("amount", apps.kit.fields.AmountField()),
                ("reason", models.CharField(blank=True, max_length=100)),
                ("answer_by", models.DateTimeField(blank=True, null=True)),
                ("held", apps.kit.fields.AmountField(default=0)),
                ("changes", models.PositiveIntegerField(default=0)),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="disputes", to="billing.payment"
                    ),
                ),
                (
                    "refund",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="dispute",
                        to="billing.refund",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("payment", "provider_id"), name="dispute_once"),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0), ("held__gte", 0)), name="dispute_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("held", 0), ("state", "open"), _connector="OR"),
                        name="dispute_holds_while_open",
                    ),
                ],
            },
        ),
    ]
