from django.db import migrations

# sum(bigint) is a numeric, whose making and casting costs more than the adding. Too much is refused, as by the cast.
TOTAL = """
CREATE AGGREGATE usage_total (bigint) (SFUNC = int8pl, STYPE = bigint, COMBINEFUNC = int8pl, PARALLEL = SAFE)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0010_rate_rule"),
    ]

    operations = [
        migrations.RunSQL(TOTAL, "DROP AGGREGATE usage_total (bigint)"),
    ]
