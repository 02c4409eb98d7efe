"""What end users pay a month for their plan, as profits count it."""

from collections.abc import Mapping
from decimal import Decimal

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.customers.models import Customer, PlanFee

Fees = Mapping[tuple[str, str], Decimal]  # by property (lower-case) and value: USD a month


def plan_fees(organization: Organization, customer: Customer | None) -> Fees:
    """The customer's own; None: the operator's."""
    rows = PlanFee.objects.filter(organization=organization, customer=customer)
    return {(row.name, row.value): row.monthly_fee for row in rows}


@transaction.atomic
def set_plan_fee(
    organization: Organization,
    customer: Customer | None,
    *,
    name: str,
    value: str,
    monthly_fee: Decimal | None,
    by: User | None,
) -> None:
    """What each user of whose calls the property `name` is `value` pays a month; None: nothing."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    name = name.lower()
    row = PlanFee.objects.filter(organization=organization, customer=customer, name=name, value=value).first()
    before = row.monthly_fee if row else None
    if before == monthly_fee:
        return
    if row is None:
        row = PlanFee(organization=organization, customer=customer, name=name, value=value)
    changes = {} if customer else {"monthly_fee": (before, monthly_fee)}  # the operator reads the log, too
    audit.record(organization, "plan_fee.set", row, actor=by, changes=changes, customer=customer)
    if monthly_fee is None:
        row.delete()
        return
    row.monthly_fee = monthly_fee
    row.full_clean()
    row.save()
