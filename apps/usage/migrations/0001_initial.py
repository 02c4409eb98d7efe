import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import apps.kit.fields

# Hours are added to many times: with room left on its page, a row's new version stays there, and out of the indexes.
ROOM_IN_HOURS = """
ALTER TABLE usage_hourlyusage SET (fillfactor = 70);
ALTER TABLE usage_hourlypropertyusage SET (fillfactor = 70);
"""

# Wide columns of fixed size first: rows are without gaps. Months are added by partitions.py.
REQUESTS = """
CREATE TABLE usage_request (
    started_at timestamptz NOT NULL,
    batch_id bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_5m_tokens bigint NOT NULL,
    cache_write_1h_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    input_audio_tokens bigint NOT NULL,
    input_image_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    output_audio_tokens bigint NOT NULL,
    output_image_tokens bigint NOT NULL,
    price_id bigint,
    latency_ms integer NOT NULL,
    first_token_ms integer,
    result smallint NOT NULL,
    status smallint NOT NULL,
    usage_source smallint NOT NULL,
    is_streamed boolean NOT NULL,
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    proxy_key_id uuid NOT NULL,
    provider_key_id uuid,
    cost numeric(24, 12),
    price numeric(24, 12),
    markup_percent numeric(9, 4) NOT NULL,
    provider text NOT NULL,
    endpoint text NOT NULL,
    model text NOT NULL,
    model_served text NOT NULL,
    end_user text,
    properties jsonb NOT NULL,
    error_code text NOT NULL,
    error_message text NOT NULL,
    session_id text,
    session_path text,
    session_name text,
    client_request_id text,
    provider_request_id text,
    client_ip inet,
    alias text,
    units jsonb NOT NULL,
    service_tier text NOT NULL,
    provider_cost numeric(24, 12),
    attempts jsonb NOT NULL,
    PRIMARY KEY (started_at, id),
    -- What no real call has would overflow the sums of its hour, and hold up everybody's: it is a dead letter.
    CONSTRAINT request_tokens_in_range CHECK (
        LEAST(
            input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_write_tokens,
            input_audio_tokens, input_image_tokens, output_tokens, reasoning_tokens, output_audio_tokens,
            output_image_tokens
        ) >= 0
        AND GREATEST(
            input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_write_tokens,
            input_audio_tokens, input_image_tokens, output_tokens, reasoning_tokens, output_audio_tokens,
            output_image_tokens
        ) <= 1000000000000
    ),
    CONSTRAINT request_amounts_in_range CHECK (cost BETWEEN 0 AND 1000000 AND price BETWEEN 0 AND 1000000),
    CONSTRAINT request_provider_cost_in_range CHECK (provider_cost BETWEEN 0 AND 1000000)
) PARTITION BY RANGE (started_at);
CREATE INDEX request_of_batch ON usage_request (batch_id);
CREATE INDEX request_of_customer ON usage_request (customer_id, started_at);
CREATE INDEX request_without_price ON usage_request (organization_id, started_at)
    WHERE cost IS NULL AND NOT result IN (2, 4);
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0002_rules_in_the_database"),
    ]

    operations = [
        migrations.CreateModel(
            name="Spool",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("segment", models.PositiveIntegerField(default=1)),
                ("offset", models.PositiveBigIntegerField(default=32)),
                ("keep_from", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("closed_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("spool_id", models.UUIDField()),
                ("segment", models.PositiveIntegerField()),
                ("start", models.PositiveBigIntegerField()),
                ("frame", models.BinaryField()),
                ("reason", models.CharField(max_length=500)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("spool_id", "segment", "start"), name="dead_letter_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="HourlyPropertyUsage",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("requests", models.BigIntegerField(default=0)),
                ("refused", models.BigIntegerField(default=0)),
                ("failed", models.BigIntegerField(default=0)),
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
                ("hour", models.DateTimeField()),
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
                        related_name="hourly_property_usage",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["customer_id", "name", "hour"], name="hourly_property_of_customer")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "hour", "customer_id", "name", "value", "end_user"),
                        name="hourly_property_usage_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HourlyUsage",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("requests", models.BigIntegerField(default=0)),
                ("refused", models.BigIntegerField(default=0)),
                ("failed", models.BigIntegerField(default=0)),
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
                ("hour", models.DateTimeField()),
                ("customer_id", models.UUIDField()),
                ("proxy_key_id", models.UUIDField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("end_user", models.TextField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hourly_usage",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["customer_id", "hour"], name="hourly_usage_of_customer")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "organization",
                            "hour",
                            "customer_id",
                            "proxy_key_id",
                            "provider",
                            "model",
                            "end_user",
                        ),
                        name="hourly_usage_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PropertyName",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("name", models.TextField()),
                ("label", models.TextField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="property_names",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("organization", "name"), name="property_name_once")],
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(REQUESTS, "DROP TABLE usage_request")],
            state_operations=[
                migrations.CreateModel(
                    name="Request",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "started_at",
                                "id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("id", models.UUIDField()),
                        ("started_at", models.DateTimeField()),
                        ("customer_id", models.UUIDField()),
                        ("proxy_key_id", models.UUIDField()),
                        ("provider_key_id", models.UUIDField(null=True)),
                        ("batch_id", models.BigIntegerField()),
                        ("provider", models.TextField()),
                        ("endpoint", models.TextField()),
                        ("model", models.TextField()),
                        ("model_served", models.TextField()),
                        ("is_streamed", models.BooleanField()),
                        (
                            "result",
                            models.SmallIntegerField(
                                choices=[
                                    (0, "Served"),
                                    (1, "Failed"),
                                    (2, "Refused"),
                                    (3, "Cancelled"),
                                    (4, "Unfinished"),
                                ]
                            ),
                        ),
                        ("status", models.SmallIntegerField()),
                        ("error_code", models.TextField()),
                        ("error_message", models.TextField()),
                        ("latency_ms", models.IntegerField()),
                        ("first_token_ms", models.IntegerField(null=True)),
                        (
                            "usage_source",
                            models.SmallIntegerField(choices=[(0, "None"), (1, "Reported"), (2, "Estimated")]),
                        ),
                        ("input_tokens", models.BigIntegerField()),
                        ("cache_read_tokens", models.BigIntegerField()),
                        ("cache_write_5m_tokens", models.BigIntegerField()),
                        ("cache_write_1h_tokens", models.BigIntegerField()),
                        ("cache_write_tokens", models.BigIntegerField()),
                        ("input_audio_tokens", models.BigIntegerField()),
                        ("input_image_tokens", models.BigIntegerField()),
                        ("output_tokens", models.BigIntegerField()),
                        ("reasoning_tokens", models.BigIntegerField()),
                        ("output_audio_tokens", models.BigIntegerField()),
                        ("output_image_tokens", models.BigIntegerField()),
                        ("cost", apps.kit.fields.AmountField(null=True)),
                        ("price", apps.kit.fields.AmountField(null=True)),
                        ("price_id", models.BigIntegerField(null=True)),
                        ("markup_percent", models.DecimalField(decimal_places=4, max_digits=9)),
                        ("end_user", models.TextField(null=True)),
                        ("properties", models.JSONField()),
                        ("session_id", models.TextField(null=True)),
                        ("session_path", models.TextField(null=True)),
                        ("session_name", models.TextField(null=True)),
                        ("client_request_id", models.TextField(null=True)),
                        ("provider_request_id", models.TextField(null=True)),
                        ("client_ip", models.GenericIPAddressField(null=True)),
                        ("alias", models.TextField(null=True)),
                        ("units", models.JSONField(default=dict)),
                        ("service_tier", models.TextField(default="")),
                        ("provider_cost", apps.kit.fields.AmountField(decimal_places=12, max_digits=24, null=True)),
                        ("attempts", models.JSONField(default=list)),
                        (
                            "organization",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="accounts.organization",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "usage_request",
                        "indexes": [
                            models.Index(fields=["batch_id"], name="request_of_batch"),
                            models.Index(fields=["customer_id", "started_at"], name="request_of_customer"),
                            models.Index(
                                condition=models.Q(("cost", None), models.Q(("result__in", [2, 4]), _negated=True)),
                                fields=["organization", "started_at"],
                                name="request_without_price",
                            ),
                        ],
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("segment", models.PositiveIntegerField()),
                ("start", models.PositiveBigIntegerField()),
                ("end", models.PositiveBigIntegerField()),
                ("rows", models.PositiveIntegerField()),
                ("keep_from", models.PositiveIntegerField()),
                ("first_started_at", models.DateTimeField()),
                ("last_started_at", models.DateTimeField()),
                ("shipped_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("rolled_up_at", models.DateTimeField(null=True)),
                (
                    "spool",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="batches", to="usage.spool"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("rolled_up_at", None)), fields=["id"], name="batch_to_roll_up"),
                    models.Index(fields=["shipped_at"], name="batch_by_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("spool", "segment", "start"), name="batch_shipped_once")
                ],
            },
        ),
        migrations.RunSQL(ROOM_IN_HOURS, migrations.RunSQL.noop),
    ]
