"""Every change of a customer is told to the proxies, whoever makes it. See accounts, migration 0002."""

from django.db import migrations

NOTIFY = """
CREATE TRIGGER tollgate_grants_deleted AFTER DELETE ON customers_customer
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_grants('customer', 'id');
CREATE TRIGGER tollgate_grants_updated AFTER UPDATE ON customers_customer
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION tollgate_notify_grants('customer', 'id');
"""
NO_NOTIFY = """
DROP TRIGGER tollgate_grants_deleted ON customers_customer;
DROP TRIGGER tollgate_grants_updated ON customers_customer;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_rules_in_the_database"),
        ("customers", "0001_initial"),
    ]

    operations = [migrations.RunSQL(NOTIFY, NO_NOTIFY)]
