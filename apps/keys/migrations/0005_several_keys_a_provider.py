"""Several provider keys for one provider, with weights."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_retries"),
        ("customers", "0002_rules_in_the_database"),
        ("keys", "0004_aliases_told_to_proxies"),
    ]

    operations = [
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
    ]
