"""What the database itself sees to: the ledger adds up and is only added to, and what is final stays as it is."""

from django.db import migrations

# The balance of an account is the sum of its entries: only the trigger that adds an entry writes it.
LEDGER = """
CREATE FUNCTION tollgate_ledger_add_to_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE billing_ledgeraccount SET balance = balance + NEW.amount WHERE id = NEW.account_id;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_add_to_balance AFTER INSERT ON billing_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION tollgate_ledger_add_to_balance();

CREATE FUNCTION tollgate_ledger_balance_is_sum() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.balance = 0 THEN
            RETURN NEW;
        END IF;
    ELSIF pg_trigger_depth() > 1 OR NEW.balance = OLD.balance THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a balance is the sum of its entries' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_balance_is_sum BEFORE INSERT OR UPDATE ON billing_ledgeraccount
    FOR EACH ROW EXECUTE FUNCTION tollgate_ledger_balance_is_sum();

CREATE FUNCTION tollgate_ledger_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM billing_ledgerentry AS entry JOIN billing_ledgeraccount AS account ON account.id = account_id
        WHERE transaction_id = NEW.transaction_id GROUP BY currency HAVING sum(amount) <> 0
    ) THEN
        RAISE EXCEPTION 'the entries of a transaction sum to zero' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_adds_up AFTER INSERT ON billing_ledgerentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tollgate_ledger_adds_up();

CREATE FUNCTION tollgate_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only added to', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION tollgate_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_ledgertransaction
    FOR EACH ROW EXECUTE FUNCTION tollgate_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_lotuse
    FOR EACH ROW EXECUTE FUNCTION tollgate_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_creditedday
    FOR EACH ROW EXECUTE FUNCTION tollgate_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_creditnoteline
    FOR EACH ROW EXECUTE FUNCTION tollgate_append_only();
CREATE TRIGGER append_only BEFORE DELETE ON billing_creditnote
    FOR EACH ROW EXECUTE FUNCTION tollgate_append_only();
CREATE TRIGGER never_edited BEFORE UPDATE ON billing_creditnote
    FOR EACH ROW WHEN (to_jsonb(OLD) - 'created_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'created_by_id')
    EXECUTE FUNCTION tollgate_append_only();
CREATE TRIGGER never_edited BEFORE UPDATE ON billing_planversion
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION tollgate_append_only();
"""
NO_LEDGER = """
DROP TRIGGER never_edited ON billing_planversion;
DROP TRIGGER never_edited ON billing_creditnote;
DROP TRIGGER append_only ON billing_creditnote;
DROP TRIGGER append_only ON billing_creditnoteline;
DROP TRIGGER append_only ON billing_creditedday;
DROP TRIGGER append_only ON billing_lotuse;
DROP TRIGGER append_only ON billing_ledgertransaction;
DROP TRIGGER append_only ON billing_ledgerentry;
DROP FUNCTION tollgate_append_only();
DROP TRIGGER ledger_adds_up ON billing_ledgerentry;
DROP FUNCTION tollgate_ledger_adds_up();
DROP TRIGGER ledger_balance_is_sum ON billing_ledgeraccount;
DROP FUNCTION tollgate_ledger_balance_is_sum();
DROP TRIGGER ledger_add_to_balance ON billing_ledgerentry;
DROP FUNCTION tollgate_ledger_add_to_balance();
"""

# Of an invoice that is final, only what happens to it afterwards is written.
FINAL = """
CREATE FUNCTION tollgate_invoice_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    afterwards CONSTANT text[] :=
        '{state,paid,credited,sent_at,reminders,reminded_at,stripe_id}';
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.state <> 'draft' AND to_jsonb(OLD) - afterwards = to_jsonb(NEW) - afterwards THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'invoice % is final', OLD.number USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER invoice_is_final BEFORE UPDATE OR DELETE ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION tollgate_invoice_is_final();

CREATE FUNCTION tollgate_part_of_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    of_invoice uuid := CASE TG_OP WHEN 'DELETE' THEN OLD.invoice_id ELSE NEW.invoice_id END;
BEGIN
    IF EXISTS (SELECT FROM billing_invoice WHERE id = of_invoice AND state <> 'draft') THEN
        RAISE EXCEPTION 'the invoice is final' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER part_of_invoice BEFORE INSERT OR UPDATE OR DELETE ON billing_invoiceline
    FOR EACH ROW EXECUTE FUNCTION tollgate_part_of_invoice();
CREATE TRIGGER part_of_invoice BEFORE INSERT OR UPDATE OR DELETE ON billing_invoicetax
    FOR EACH ROW EXECUTE FUNCTION tollgate_part_of_invoice();
CREATE TRIGGER part_of_invoice BEFORE INSERT OR UPDATE OR DELETE ON billing_invoicedday
    FOR EACH ROW EXECUTE FUNCTION tollgate_part_of_invoice();
"""
NOT_FINAL = """
DROP TRIGGER part_of_invoice ON billing_invoicedday;
DROP TRIGGER part_of_invoice ON billing_invoicetax;
DROP TRIGGER part_of_invoice ON billing_invoiceline;
DROP FUNCTION tollgate_part_of_invoice();
DROP TRIGGER invoice_is_final ON billing_invoice;
DROP FUNCTION tollgate_invoice_is_final();
"""

# A row cannot point into another organization: see keys, migration 0002.
TABLES = ("invoice", "payment", "ledgeraccount", "ledgertransaction")
ONE_TENANT = "".join(
    f"""
ALTER TABLE billing_{table} ADD CONSTRAINT {table}_of_its_organization
    FOREIGN KEY (organization_id, customer_id) REFERENCES customers_customer (organization_id, id)
    DEFERRABLE INITIALLY DEFERRED;
"""
    for table in TABLES
)
ANY_TENANT = "".join(f"ALTER TABLE billing_{table} DROP CONSTRAINT {table}_of_its_organization;\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_rules_in_the_database"),
        ("billing", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(LEDGER, NO_LEDGER),
        migrations.RunSQL(FINAL, NOT_FINAL),
        migrations.RunSQL(ONE_TENANT, ANY_TENANT),
    ]
