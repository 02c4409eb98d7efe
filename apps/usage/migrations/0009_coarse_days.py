import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import apps.kit.fields

ROOM_IN_DAYS = """
ALTER TABLE usage_dailycustomer SET (fillfactor = 70);
ALTER TABLE usage_dailymodel SET (fillfactor = 70);
"""
SUMMED = [
    "requests",
    "refused",
    "failed",
    "client_errors",
    "rate_limited",
    "server_errors",
    "cancelled",
    "unfinished",
    "streamed",
    "unpriced",
    "estimated",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "output_tokens",
    "reasoning_tokens",
    "output_audio_tokens",
    "output_image_tokens",
    "cost",
    "price",
    "latency_ms",
    "first_token_ms",
    "first_tokens",
]
SUMS = ", ".join([*(f"sum({name})" for name in SUMMED), "min(first_at)", "max(last_at)"])
COLUMNS = ", ".join([*SUMMED, "first_at", "last_at"])
# The sums of days of before; their histograms come with rebuild_rollups.
FROM_TOTALS = "".join(
    f"INSERT INTO {table} (organization_id, day, {keys}, latencies, first_token_times, {COLUMNS}) "  # noqa: S608 ours
    f"SELECT organization_id, day, {keys}, '{{}}'::bigint[], '{{}}'::bigint[], {SUMS} "
    f"FROM usage_dailytotal GROUP BY organization_id, day, {keys};"
    for table, keys in (("usage_dailycustomer", "customer_id"), ("usage_dailymodel", "provider, model, sold_as"))
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_on_client_gone"),
        ("usage", "0008_awaited_calls"),
    ]

    operations = [
        migrations.CreateModel(
            name="DailyCustomer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("requests", models.BigIntegerField(default=0)),
                ("refused", models.BigIntegerField(default=0)),
                ("failed", models.BigIntegerField(default=0)),
                ("client_errors", models.BigIntegerField(default=0)),
                ("rate_limited", models.BigIntegerField(default=0)),
                ("server_errors", models.BigIntegerField(default=0)),
                ("cancelled", models.BigIntegerField(default=0)),
                ("unfinished", models.BigIntegerField(default=0)),
                ("streamed", models.BigIntegerField(default=0)),
                ("unpriced", models.BigIntegerField(default=0)),
                ("estimated", models.BigIntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("cache_read_tokens", models.BigIntegerField(default=0)),
                ("cache_write_5m_tokens", models.BigIntegerField(default=0)),
                ("cache_write_1h_tokens", models.BigIntegerField(default=0)),
                ("cache_write_tokens", models.BigIntegerField(default=0)),
                ("input_audio_tokens", models.BigIntegerField(default=0)),
                ("input_image_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                ("output_audio_tokens", models.BigIntegerField(default=0)),
                ("output_image_tokens", models.BigIntegerField(default=0)),
                ("cost", apps.kit.fields.AmountField(default=0)),
                ("price", apps.kit.fields.AmountField(default=0)),
                ("latency_ms", models.BigIntegerField(default=0)),
                ("first_token_ms", models.BigIntegerField(default=0)),
                ("first_tokens", models.BigIntegerField(default=0)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                (
                    "latencies",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "first_token_times",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("day", models.DateTimeField()),
                ("customer_id", models.UUIDField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["customer_id", "day"], name="daily_customer_by_day")],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "day", "customer_id"), name="daily_customer_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="DailyModel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("requests", models.BigIntegerField(default=0)),
                ("refused", models.BigIntegerField(default=0)),
                ("failed", models.BigIntegerField(default=0)),
                ("client_errors", models.BigIntegerField(default=0)),
                ("rate_limited", models.BigIntegerField(default=0)),
                ("server_errors", models.BigIntegerField(default=0)),
                ("cancelled", models.BigIntegerField(default=0)),
                ("unfinished", models.BigIntegerField(default=0)),
                ("streamed", models.BigIntegerField(default=0)),
                ("unpriced", models.BigIntegerField(default=0)),
                ("estimated", models.BigIntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("cache_read_tokens", models.BigIntegerField(default=0)),
                ("cache_write_5m_tokens", models.BigIntegerField(default=0)),
                ("cache_write_1h_tokens", models.BigIntegerField(default=0)),
                ("cache_write_tokens", models.BigIntegerField(default=0)),
                ("input_audio_tokens", models.BigIntegerField(default=0)),
                ("input_image_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                ("output_audio_tokens", models.BigIntegerField(default=0)),
                ("output_image_tokens", models.BigIntegerField(default=0)),
                ("cost", apps.kit.fields.AmountField(default=0)),
                ("price", apps.kit.fields.AmountField(default=0)),
                ("latency_ms", models.BigIntegerField(default=0)),
                ("first_token_ms", models.BigIntegerField(default=0)),
                ("first_tokens", models.BigIntegerField(default=0)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                (
                    "latencies",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "first_token_times",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("day", models.DateTimeField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("sold_as", models.TextField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "day", "provider", "model", "sold_as"), name="daily_model_once"
                    )
                ],
            },
        ),
        migrations.RunSQL(ROOM_IN_DAYS, migrations.RunSQL.noop),
        migrations.RunSQL(FROM_TOTALS, migrations.RunSQL.noop),
    ]
