"""How often a call that a provider fails is tried again."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_rules_in_the_database"),
    ]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="max_retries",
            field=models.PositiveSmallIntegerField(
                default=0, validators=[django.core.validators.MaxValueValidator(5)], verbose_name="retries"
            ),
        ),
        migrations.AddConstraint(
            model_name="organization",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_retries__lte", 5)), name="organization_retries_end"
            ),
        ),
    ]
