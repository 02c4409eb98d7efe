"""Some providers charge more at some hours of some days."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pricing", "0002_told_to_proxies")]

    operations = [
        migrations.AddField(model_name="modelprice", name="hours", field=models.JSONField(default=list)),
    ]
