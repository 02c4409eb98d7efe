"""What the database itself sees to: changes are told to the proxies, and the audit log is only added to."""

from django.db import migrations

# One trigger function serves every table whose rows a proxy's grants are made of. Its arguments are the word
# and the column that make the payload: ('customer', 'customer_id') tells "customer:<uuid>". An update that
# moves a row from one to another tells both; PostgreSQL drops what was told before in the transaction.
NOTIFY = """
CREATE FUNCTION tollgate_notify_grants() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('tollgate_grants', TG_ARGV[0] || ':' || ltrim(to_jsonb(OLD) ->> TG_ARGV[1], '\\x'));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('tollgate_grants', TG_ARGV[0] || ':' || ltrim(to_jsonb(NEW) ->> TG_ARGV[1], '\\x'));
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER tollgate_grants_deleted AFTER DELETE ON accounts_organization
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_grants('organization', 'id');
CREATE TRIGGER tollgate_grants_updated AFTER UPDATE ON accounts_organization
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION tollgate_notify_grants('organization', 'id');
"""
NO_NOTIFY = """
DROP TRIGGER tollgate_grants_deleted ON accounts_organization;
DROP TRIGGER tollgate_grants_updated ON accounts_organization;
DROP FUNCTION tollgate_notify_grants();
"""

# An event goes only with its organization: by the cascade of this foreign key, which runs when the
# organization's row is gone already. Any other deletion still sees that row, and is refused.
APPEND_ONLY = """
ALTER TABLE accounts_auditevent ADD CONSTRAINT audit_goes_with_its_organization
    FOREIGN KEY (organization_id) REFERENCES accounts_organization (id) ON DELETE CASCADE;

CREATE FUNCTION tollgate_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT EXISTS (SELECT FROM accounts_organization WHERE id = OLD.organization_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION tollgate_audit_append_only();
"""
NOT_APPEND_ONLY = """
DROP TRIGGER audit_append_only ON accounts_auditevent;
DROP FUNCTION tollgate_audit_append_only();
ALTER TABLE accounts_auditevent DROP CONSTRAINT audit_goes_with_its_organization;
"""

# The roll-up asks PostgreSQL for the hours of everybody's zone in one statement: a name that PostgreSQL doesn't
# know would stop it for all. Such a name makes this condition raise an error.
KNOWN_ZONE = """
ALTER TABLE accounts_organization ADD CONSTRAINT organization_time_zone_is_known
    CHECK (timezone(time_zone, timestamptz 'epoch') IS NOT NULL);
"""
NO_KNOWN_ZONE = "ALTER TABLE accounts_organization DROP CONSTRAINT organization_time_zone_is_known"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(NOTIFY, NO_NOTIFY),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY),
        migrations.RunSQL(KNOWN_ZONE, NO_KNOWN_ZONE),
    ]
