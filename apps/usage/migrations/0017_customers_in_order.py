from django.db import migrations, models


class Migration(migrations.Migration):
    """The index of days of customers has what they are ordered by."""

    dependencies = [("usage", "0016_days_of_snapshots")]

    operations = [
        migrations.RemoveConstraint("dailycustomer", "daily_customer_once"),
        migrations.AddConstraint(
            "dailycustomer",
            models.UniqueConstraint(
                fields=["organization", "day", "customer_id"],
                include=["requests", "cost", "price"],
                name="daily_customer_once",
            ),
        ),
    ]
