"""What is on record of a call."""

from typing import Any

from tests.rig.installation import Installation, Tenant


def newest(installation: Installation, tenant: Tenant) -> dict[str, Any]:
    """The customer's last request, shipped and rolled up."""
    assert installation.desk("roll_up") == []
    return installation.rows(
        "SELECT * FROM usage_request WHERE customer_id = %s ORDER BY started_at DESC LIMIT 1", tenant.customer
    )[0]
