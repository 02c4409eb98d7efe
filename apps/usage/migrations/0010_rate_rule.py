"""By which rule of a rate card a request is sold. A column without a value is added to all partitions at once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0009_coarse_days")]

    operations = [
        migrations.AddField(model_name="request", name="rate_rule_id", field=models.BigIntegerField(null=True)),
    ]
