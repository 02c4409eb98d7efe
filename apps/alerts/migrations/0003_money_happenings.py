"""What happens to payments, put down until it is told; and the triggers that do."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

# In the transaction of the change, and only where somebody of the organization wants to hear of it. A transfer that a
# person calls off is no failure.
HAPPENINGS = """
CREATE FUNCTION tollgate_note_failed_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alerts_moneyhappening (kind, organization_id, payment_id, state, at)
    SELECT 'payment.failed', NEW.organization_id, NEW.id, NEW.state, now()
    WHERE EXISTS (
        SELECT FROM alerts_eventsubscription
        WHERE organization_id = NEW.organization_id AND NOT is_paused AND 'payment.failed' = ANY (kinds)
    );
    RETURN NULL;
END $$;

CREATE FUNCTION tollgate_note_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alerts_moneyhappening (kind, organization_id, payment_id, dispute_id, state, at)
    SELECT 'payment.disputed', payment.organization_id, payment.id, NEW.id, NEW.state, now()
    FROM billing_payment AS payment WHERE payment.id = NEW.payment_id AND EXISTS (
        SELECT FROM alerts_eventsubscription
        WHERE organization_id = payment.organization_id AND NOT is_paused AND 'payment.disputed' = ANY (kinds)
    );
    RETURN NULL;
END $$;

CREATE TRIGGER alerts_payment_failed AFTER UPDATE OF state ON billing_payment
    FOR EACH ROW WHEN (NEW.state = 'failed' AND OLD.state <> 'failed' AND NEW.provider <> 'manual')
    EXECUTE FUNCTION tollgate_note_failed_payment();
CREATE TRIGGER alerts_payment_disputed AFTER INSERT ON billing_dispute
    FOR EACH ROW EXECUTE FUNCTION tollgate_note_dispute();
CREATE TRIGGER alerts_dispute_changed AFTER UPDATE OF state ON billing_dispute
    FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state) EXECUTE FUNCTION tollgate_note_dispute();
"""
NO_HAPPENINGS = """
DROP TRIGGER alerts_dispute_changed ON billing_dispute;
DROP TRIGGER alerts_payment_disputed ON billing_dispute;
DROP TRIGGER alerts_payment_failed ON billing_payment;
DROP FUNCTION tollgate_note_dispute();
DROP FUNCTION tollgate_note_failed_payment();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_on_client_gone"),
        ("alerts", "0002_rules_in_the_database"),
        ("billing", "0004_disputes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="kind",
            field=models.CharField(
                choices=[
                    ("alert.firing", "Alert began"),
                    ("alert.resolved", "Alert is over"),
                    ("test", "Test"),
                    ("request.recorded", "Request recorded"),
                    ("limit.reached", "Limit reached"),
                    ("proxy_key.created", "Proxy key created"),
                    ("proxy_key.revoked", "Proxy key revoked"),
                    ("payment.failed", "Payment failed"),
                    ("payment.disputed", "Payment disputed"),
                    ("invoice.overdue", "Invoice overdue"),
                ],
                max_length=24,
            ),
        ),
        migrations.AlterField(
            model_name="eventsubscription",
            name="kinds",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("alert.firing", "Alert began"),
                        ("alert.resolved", "Alert is over"),
                        ("test", "Test"),
                        ("request.recorded", "Request recorded"),
                        ("limit.reached", "Limit reached"),
                        ("proxy_key.created", "Proxy key created"),
                        ("proxy_key.revoked", "Proxy key revoked"),
                        ("payment.failed", "Payment failed"),
                        ("payment.disputed", "Payment disputed"),
                        ("invoice.overdue", "Invoice overdue"),
                    ],
                    max_length=24,
                ),
                size=None,
            ),
        ),
        migrations.CreateModel(
            name="MoneyHappening",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=24)),
                ("state", models.CharField(max_length=10)),
                ("at", models.DateTimeField()),
                (
                    "dispute",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="billing.dispute"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="billing.payment"
                    ),
                ),
            ],
        ),
        migrations.RunSQL(HAPPENINGS, NO_HAPPENINGS),
    ]
