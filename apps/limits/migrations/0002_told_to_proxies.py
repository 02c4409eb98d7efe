"""Every change of an end user's limits is told to the proxies, whoever makes it. See accounts, migration 0002."""

from django.db import migrations

NOTIFY = """
CREATE TRIGGER tollgate_grants_changed AFTER INSERT OR UPDATE OR DELETE ON limits_enduserlimit
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_grants('customer', 'customer_id');
"""
NO_NOTIFY = "DROP TRIGGER tollgate_grants_changed ON limits_enduserlimit"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_rules_in_the_database"),
        ("limits", "0001_initial"),
    ]

    operations = [migrations.RunSQL(NOTIFY, NO_NOTIFY)]
