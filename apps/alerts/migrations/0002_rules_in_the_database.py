"""What the database itself sees to: customers of their own organization, and keys' changes that are to be told."""

from django.db import migrations

OWNED = ("alertrule", "channel", "eventsubscription", "finding")
SAME_ORGANIZATION = "".join(
    f"""
ALTER TABLE alerts_{table} ADD CONSTRAINT {table}_customer_of_organization
    FOREIGN KEY (organization_id, customer_id) REFERENCES customers_customer (organization_id, id) ON DELETE CASCADE;
"""
    for table in OWNED
)
NO_SAME_ORGANIZATION = "".join(
    f"ALTER TABLE alerts_{table} DROP CONSTRAINT {table}_customer_of_organization;" for table in OWNED
)

# In the transaction of the change, and only where somebody of the organization wants to hear of it. A key
# that is replaced is revoked from a later time on: what is told says when.
HAPPENINGS = """
CREATE FUNCTION tollgate_note_key_happening() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    what text := CASE WHEN TG_OP = 'INSERT' THEN 'proxy_key.created' ELSE 'proxy_key.revoked' END;
BEGIN
    IF EXISTS (
        SELECT FROM alerts_eventsubscription
        WHERE organization_id = NEW.organization_id AND NOT is_paused AND what = ANY (kinds)
    ) THEN
        INSERT INTO alerts_keyhappening (kind, organization_id, proxy_key_id, at)
        VALUES (what, NEW.organization_id, NEW.id, now());
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER alerts_key_made AFTER INSERT ON keys_proxykey
    FOR EACH ROW EXECUTE FUNCTION tollgate_note_key_happening();
CREATE TRIGGER alerts_key_revoked AFTER UPDATE OF revoked_at ON keys_proxykey
    FOR EACH ROW WHEN (NEW.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
    EXECUTE FUNCTION tollgate_note_key_happening();
"""
NO_HAPPENINGS = """
DROP TRIGGER alerts_key_revoked ON keys_proxykey;
DROP TRIGGER alerts_key_made ON keys_proxykey;
DROP FUNCTION tollgate_note_key_happening();
"""


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial"), ("keys", "0002_rules_in_the_database")]

    operations = [
        migrations.RunSQL(SAME_ORGANIZATION, NO_SAME_ORGANIZATION),
        migrations.RunSQL(HAPPENINGS, NO_HAPPENINGS),
    ]
