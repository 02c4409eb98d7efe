"""What the database itself sees to of rate cards: they stay within an organization, are never edited, and every change
is told to the proxies, which hold them as a part of their grants. See accounts, migration 0002."""

from django.db import migrations

WITHIN = """
ALTER TABLE pricing_ratecard ADD CONSTRAINT own_rates_within_organization
    FOREIGN KEY (organization_id, customer_id) REFERENCES customers_customer (organization_id, id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE pricing_ratecarduse ADD CONSTRAINT rate_card_use_customer_within_organization
    FOREIGN KEY (organization_id, customer_id) REFERENCES customers_customer (organization_id, id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE pricing_ratecarduse ADD CONSTRAINT rate_card_use_within_organization
    FOREIGN KEY (organization_id, card_id) REFERENCES pricing_ratecard (organization_id, id)
    DEFERRABLE INITIALLY DEFERRED;
"""
NOT_WITHIN = """
ALTER TABLE pricing_ratecarduse DROP CONSTRAINT rate_card_use_within_organization;
ALTER TABLE pricing_ratecarduse DROP CONSTRAINT rate_card_use_customer_within_organization;
ALTER TABLE pricing_ratecard DROP CONSTRAINT own_rates_within_organization;
"""

# A version's maker may be forgotten, and that is all that may be said of it differently.
NEVER_EDITED = """
CREATE FUNCTION tollgate_rates_never_edited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(OLD) - 'created_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'created_by_id' THEN
        RAISE EXCEPTION 'rates are never edited: they get a new version' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER rates_never_edited BEFORE UPDATE ON pricing_raterule
    FOR EACH ROW EXECUTE FUNCTION tollgate_rates_never_edited();
CREATE TRIGGER rates_never_edited BEFORE UPDATE ON pricing_ratecardversion
    FOR EACH ROW EXECUTE FUNCTION tollgate_rates_never_edited();
CREATE TRIGGER rates_never_edited BEFORE UPDATE ON pricing_ratecarduse
    FOR EACH ROW EXECUTE FUNCTION tollgate_rates_never_edited();
"""
EDITED = """
DROP TRIGGER rates_never_edited ON pricing_ratecarduse;
DROP TRIGGER rates_never_edited ON pricing_ratecardversion;
DROP TRIGGER rates_never_edited ON pricing_raterule;
DROP FUNCTION tollgate_rates_never_edited();
"""

# Rules come and go with their version. Who is on a card is not looked up: all of the organization is told.
NOTIFY = """
CREATE FUNCTION tollgate_notify_rates() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    card pricing_ratecard;
BEGIN
    SELECT * INTO card FROM pricing_ratecard WHERE id = coalesce(NEW.card_id, OLD.card_id);
    IF card.customer_id IS NOT NULL THEN
        PERFORM pg_notify('tollgate_grants', 'customer:' || card.customer_id);
    ELSIF card.organization_id IS NOT NULL THEN
        PERFORM pg_notify('tollgate_grants', 'organization:' || card.organization_id);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION tollgate_notify_rate_use() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    used pricing_ratecarduse := coalesce(NEW, OLD);
BEGIN
    PERFORM pg_notify('tollgate_grants', coalesce('customer:' || used.customer_id, 'organization:' || used.organization_id));
    RETURN NULL;
END $$;

CREATE TRIGGER tollgate_grants_changed AFTER INSERT OR DELETE ON pricing_ratecardversion
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_rates();
CREATE TRIGGER tollgate_grants_changed AFTER INSERT OR DELETE ON pricing_ratecarduse
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_rate_use();
"""
NO_NOTIFY = """
DROP TRIGGER tollgate_grants_changed ON pricing_ratecarduse;
DROP TRIGGER tollgate_grants_changed ON pricing_ratecardversion;
DROP FUNCTION tollgate_notify_rate_use();
DROP FUNCTION tollgate_notify_rates();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_rules_in_the_database"),
        ("pricing", "0005_rate_cards"),
    ]

    operations = [
        migrations.RunSQL(WITHIN, NOT_WITHIN),
        migrations.RunSQL(NEVER_EDITED, EDITED),
        migrations.RunSQL(NOTIFY, NO_NOTIFY),
    ]
