"""Several provider keys for one provider, with weights; an organization's own names for models."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.db import migrations, models

import apps.kit.ids

# See migration 0002: an alias is a part of the grants of all its organization's keys.
NOTIFY = """
CREATE TRIGGER tollgate_grants_changed AFTER INSERT OR UPDATE OR DELETE ON keys_modelalias
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_grants('organization', 'organization_id');
"""
NO_NOTIFY = "DROP TRIGGER tollgate_grants_changed ON keys_modelalias;"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_retries"),
        ("customers", "0002_rules_in_the_database"),
        ("keys", "0002_rules_in_the_database"),
    ]

    operations = [
        migrations.CreateModel(
            name="ModelAlias",
            fields=[
                ("id", models.UUIDField(default=apps.kit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "name",
                    models.CharField(
                        max_length=128,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9._:-]*$",
                                "Lower-case letters, digits, “.”, “_”, “:” and “-”; it begins with a letter or digit.",
                            )
                        ],
                        verbose_name="name",
                    ),
                ),
                (
                    "provider",
                    models.CharField(
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9-]{0,39}$", "Lower-case letters, digits and hyphens."
                            )
                        ],
                        verbose_name="provider",
                    ),
                ),
                ("model", models.CharField(max_length=256, verbose_name="model")),
                ("default_parameters", models.JSONField(blank=True, default=dict)),
                ("forced_parameters", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="customerproviderkey",
            name="one_key_a_provider",
        ),
        migrations.AddField(
            model_name="customerproviderkey",
            name="weight",
            field=models.PositiveSmallIntegerField(
                default=1, validators=[django.core.validators.MaxValueValidator(100)]
            ),
        ),
        migrations.AddConstraint(
            model_name="customerproviderkey",
            constraint=models.UniqueConstraint(
                fields=("customer", "provider_key"), name="provider_key_of_customer_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="customerproviderkey",
            constraint=models.CheckConstraint(
                condition=models.Q(("weight__lte", 100)), name="provider_key_weight_in_percent"
            ),
        ),
        migrations.AddField(
            model_name="modelalias",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="model_aliases", to="accounts.organization"
            ),
        ),
        migrations.AddConstraint(
            model_name="modelalias",
            constraint=models.UniqueConstraint(fields=("organization", "name"), name="model_alias_unique"),
        ),
        migrations.AddConstraint(
            model_name="modelalias",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", django.db.models.functions.text.Lower("name"))),
                name="model_alias_in_lower_case",
            ),
        ),
        migrations.RunSQL(NOTIFY, NO_NOTIFY),
    ]
