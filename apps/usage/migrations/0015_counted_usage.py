from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0014_latencies_of_values"),
    ]

    operations = [
        migrations.AlterField(
            model_name="request",
            name="usage_source",
            field=models.SmallIntegerField(
                choices=[
                    (0, "None"),
                    (1, "Reported"),
                    (2, "Estimated"),
                    (3, "Estimated, by the model’s vocabulary"),
                ]
            ),
        ),
    ]
