"""Every change of the price book is told to the proxies, which hold prices in memory."""

from django.db import migrations

NOTIFY = """
CREATE FUNCTION tollgate_notify_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('tollgate_grants', 'prices');
    RETURN NULL;
END $$;

CREATE TRIGGER tollgate_prices_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pricing_modelprice
    FOR EACH STATEMENT EXECUTE FUNCTION tollgate_notify_prices();
"""
NO_NOTIFY = """
DROP TRIGGER tollgate_prices_changed ON pricing_modelprice;
DROP FUNCTION tollgate_notify_prices();
"""


class Migration(migrations.Migration):
    dependencies = [("pricing", "0001_initial")]

    operations = [migrations.RunSQL(NOTIFY, NO_NOTIFY)]
