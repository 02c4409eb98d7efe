from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0006_mailings"),
    ]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="began_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
