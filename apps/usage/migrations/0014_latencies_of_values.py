import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """Of the days that are there already, the histograms are empty until they are rebuilt (docs/running.md)."""

    dependencies = [
        ("usage", "0013_snapshots"),
    ]

    operations = [
        migrations.AddField(
            model_name="dailypropertyusage",
            name="latencies",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), default=list, size=None
            ),
        ),
    ]
