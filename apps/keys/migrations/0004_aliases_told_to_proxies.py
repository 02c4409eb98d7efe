"""Names for models are a part of every grant of their organization. See accounts, migration 0002."""

from django.db import migrations

NOTIFY = """
CREATE TRIGGER tollgate_grants_changed AFTER INSERT OR UPDATE OR DELETE ON keys_modelalias
    FOR EACH ROW EXECUTE FUNCTION tollgate_notify_grants('organization', 'organization_id');
"""
NO_NOTIFY = "DROP TRIGGER tollgate_grants_changed ON keys_modelalias"


class Migration(migrations.Migration):
    dependencies = [("keys", "0003_model_alias")]

    operations = [migrations.RunSQL(NOTIFY, NO_NOTIFY)]
