"""Every change of what is known of an end user is told to the proxies, whoever makes it. See accounts, migration 0002."""

from django.db import migrations

NOTIFY = """
CREATE TRIGGER tollgate_grants_changed AFTER INSERT OR UPDATE OR DELETE ON customers_enduser
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_grants('customer', 'customer_id');
"""
NO_NOTIFY = "DROP TRIGGER tollgate_grants_changed ON customers_enduser"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_rules_in_the_database"),
        ("customers", "0004_end_users"),
    ]

    operations = [migrations.RunSQL(NOTIFY, NO_NOTIFY)]
