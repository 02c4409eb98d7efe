"""What changes the limits of a customer's end users. Each change is in the audit log and tells the proxies.

`by` is who does it: a user, or None for a command.
"""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import User
from apps.customers.limit_fields import LIMITS
from apps.customers.models import Customer
from apps.customers.services import lock, notify_grants
from apps.limits.models import EndUserLimit

MOST_OF_THEIR_OWN = 5_000  # end users of one customer: every proxy has them all in memory


@transaction.atomic
def set_end_user_limits(
    customer: Customer, end_user: str | None, *, by: User | None, at: datetime | None = None, **limits: Any
) -> EndUserLimit:
    """Limit one end user, or with None every one without limits of their own, to exactly these; others are none.

    They hold within the customer's and the key's, from the next call on every proxy.
    Raises ValidationError.
    """
    if unknown := limits.keys() - set(LIMITS):
        raise TypeError(f"not a limit of an end user: {', '.join(sorted(unknown))}")
    customer = lock(customer)
    name = None if end_user is None else end_user.strip()
    row = customer.end_user_limits.filter(end_user=name).first()
    if row is None:
        if customer.end_user_limits.count() > MOST_OF_THEIR_OWN:
            raise ValidationError(
                _("At most %(most)d end users can have limits of their own."), params={"most": MOST_OF_THEIR_OWN}
            )
        row = EndUserLimit(customer=customer, end_user=name)
    before = audit.fields_of(row, LIMITS)
    row.change_limits(dict.fromkeys(LIMITS) | limits, at or timezone.now())
    row.full_clean()
    row.save()
    changes = audit.difference(before, audit.fields_of(row, LIMITS))
    _changed(row, "end_user_limit.set", changes, by=by)
    return row


@transaction.atomic
def remove_end_user_limits(row: EndUserLimit, *, by: User | None) -> None:
    """Let the default hold for that end user again; or, of the default, let those without limits have none."""
    lock(row.customer)
    _changed(row, "end_user_limit.remove", {}, by=by)
    row.delete()


def _changed(row: EndUserLimit, action: str, changes: audit.Changes, *, by: User | None) -> None:
    audit.record(row.customer.organization, action, row, actor=by, changes=changes, customer=row.customer)
    notify_grants(customer_id=row.customer_id)
