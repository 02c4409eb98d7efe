import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import apps.kit.fields

# Rows are added to many times: with room left on its page, a row's new version stays there, and out of the indexes.
ROOM_IN_DAYS = """
ALTER TABLE usage_dailyusage SET (fillfactor = 70);
ALTER TABLE usage_dailytotal SET (fillfactor = 70);
ALTER TABLE usage_dailypropertyusage SET (fillfactor = 70);
"""

# The days of what was rolled up before. Histograms and classes of errors are not in the hours: rebuild_rollups has them.
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
KEYS = "customer_id, proxy_key_id, provider, model, sold_as"
TIMES = "latencies, first_token_times"
NO_TIMES = "'{}'::bigint[], '{}'::bigint[]"
BY_DAY = "date_trunc('day', hour, organization.time_zone)"
JOINED = "JOIN accounts_organization AS organization ON organization.id = organization_id"
DAYS_FROM_HOURS = f"""
INSERT INTO usage_dailyusage (organization_id, day, {KEYS}, end_user, {TIMES}, {COLUMNS})
SELECT organization_id, {BY_DAY}, {KEYS}, end_user, {NO_TIMES}, {SUMS} FROM usage_hourlyusage {JOINED}
GROUP BY organization_id, 2, {KEYS}, end_user;
INSERT INTO usage_dailytotal (organization_id, day, {KEYS}, {TIMES}, {COLUMNS})
SELECT organization_id, day, {KEYS}, {NO_TIMES}, {SUMS} FROM usage_dailyusage GROUP BY organization_id, day, {KEYS};
INSERT INTO usage_dailypropertyusage (organization_id, day, customer_id, name, value, end_user, {COLUMNS})
SELECT organization_id, {BY_DAY}, customer_id, usage_hourlypropertyusage.name, value, end_user, {SUMS}
FROM usage_hourlypropertyusage {JOINED}
GROUP BY organization_id, 2, customer_id, usage_hourlypropertyusage.name, value, end_user;
"""  # noqa: S608 constants of ours


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_on_client_gone"),
        ("usage", "0003_sold_as"),
    ]

    operations = [
        migrations.AddField(
            model_name="hourlypropertyusage",
            name="client_errors",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="hourlypropertyusage",
            name="rate_limited",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="hourlypropertyusage",
            name="server_errors",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="hourlyusage",
            name="client_errors",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="hourlyusage",
            name="first_token_times",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="hourlyusage",
            name="latencies",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="hourlyusage",
            name="rate_limited",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="hourlyusage",
            name="server_errors",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="hourlyusage",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="%(class)s_rows",
                to="accounts.organization",
            ),
        ),
        migrations.CreateModel(
            name="DailyPropertyUsage",
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
                ("day", models.DateTimeField()),
                ("customer_id", models.UUIDField()),
                ("name", models.TextField()),
                ("value", models.TextField()),
                ("end_user", models.TextField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="daily_property_usage",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["customer_id", "end_user", "day"], name="daily_property_of_user")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "name", "day", "customer_id", "value", "end_user"),
                        name="daily_property_usage_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DailyTotal",
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
                ("customer_id", models.UUIDField()),
                ("proxy_key_id", models.UUIDField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("sold_as", models.TextField()),
                ("day", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="%(class)s_rows",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["customer_id", "day"], name="daily_total_of_customer")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "day", "customer_id", "proxy_key_id", "provider", "model", "sold_as"),
                        name="daily_total_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DailyUsage",
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
                ("customer_id", models.UUIDField()),
                ("proxy_key_id", models.UUIDField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("sold_as", models.TextField()),
                ("day", models.DateTimeField()),
                ("end_user", models.TextField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="%(class)s_rows",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["customer_id", "end_user", "day"], name="daily_usage_of_user")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "organization",
                            "day",
                            "customer_id",
                            "proxy_key_id",
                            "provider",
                            "model",
                            "sold_as",
                            "end_user",
                        ),
                        name="daily_usage_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.RunSQL(ROOM_IN_DAYS, migrations.RunSQL.noop),
        migrations.RunSQL(DAYS_FROM_HOURS, migrations.RunSQL.noop),
    ]
