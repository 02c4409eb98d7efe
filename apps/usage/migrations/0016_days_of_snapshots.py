import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """Days by their numbers. What was kept is made again, as after a crash."""

    dependencies = [("usage", "0015_counted_usage")]

    operations = [
        migrations.RunSQL(
            "TRUNCATE usage_snapshot, usage_snapshotuser, usage_snapshotorder", migrations.RunSQL.noop, elidable=True
        ),
        migrations.RemoveField("snapshotuser", "days"),
        migrations.AddField(
            "snapshotuser",
            "days",
            django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None, default=list),
            preserve_default=False,
        ),
    ]
