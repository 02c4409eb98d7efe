"""Keys belong to one tenant, and every change of one is told to the proxies, whoever makes it."""

from django.db import migrations

# A row cannot point into another organization: each foreign key carries the organization along.
ONE_TENANT = """
ALTER TABLE keys_customerproviderkey
    ADD CONSTRAINT link_to_customer_of_its_organization FOREIGN KEY (organization_id, customer_id)
        REFERENCES customers_customer (organization_id, id) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT link_to_key_of_its_organization FOREIGN KEY (organization_id, provider, provider_key_id)
        REFERENCES keys_providerkey (organization_id, provider, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE keys_proxykey
    ADD CONSTRAINT proxy_key_of_its_organization FOREIGN KEY (organization_id, customer_id)
        REFERENCES customers_customer (organization_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
ANY_TENANT = """
ALTER TABLE keys_customerproviderkey
    DROP CONSTRAINT link_to_customer_of_its_organization,
    DROP CONSTRAINT link_to_key_of_its_organization;
ALTER TABLE keys_proxykey DROP CONSTRAINT proxy_key_of_its_organization;
"""

# See accounts, migration 0002. What a proxy has no use for is told to nobody: the roll-up touches
# `last_used_at` all the time, and a rotation of the vault every key, without a grant being different.
# A new proxy key is told too, since a proxy may remember that there was none.
NOTIFY = """
CREATE TRIGGER tollgate_grants_added_or_deleted AFTER INSERT OR DELETE ON keys_proxykey
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_grants('key', 'key_hash');
CREATE TRIGGER tollgate_grants_updated AFTER UPDATE ON keys_proxykey
    FOR EACH ROW WHEN (to_jsonb(OLD) - 'last_used_at' IS DISTINCT FROM to_jsonb(NEW) - 'last_used_at')
    EXECUTE FUNCTION tollgate_notify_grants('key', 'key_hash');

CREATE TRIGGER tollgate_grants_deleted AFTER DELETE ON keys_providerkey
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_grants('organization', 'organization_id');
CREATE TRIGGER tollgate_grants_updated AFTER UPDATE ON keys_providerkey
    FOR EACH ROW WHEN (to_jsonb(OLD) - '{last_opened_on,wrapped_key,kek_id}'::text[]
        IS DISTINCT FROM to_jsonb(NEW) - '{last_opened_on,wrapped_key,kek_id}'::text[])
    EXECUTE FUNCTION tollgate_notify_grants('organization', 'organization_id');

CREATE TRIGGER tollgate_grants_changed AFTER INSERT OR UPDATE OR DELETE ON keys_customerproviderkey
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_grants('customer', 'customer_id');
"""
NO_NOTIFY = """
DROP TRIGGER tollgate_grants_added_or_deleted ON keys_proxykey;
DROP TRIGGER tollgate_grants_updated ON keys_proxykey;
DROP TRIGGER tollgate_grants_deleted ON keys_providerkey;
DROP TRIGGER tollgate_grants_updated ON keys_providerkey;
DROP TRIGGER tollgate_grants_changed ON keys_customerproviderkey;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_rules_in_the_database"),
        ("keys", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(ONE_TENANT, ANY_TENANT),
        migrations.RunSQL(NOTIFY, NO_NOTIFY),
    ]
