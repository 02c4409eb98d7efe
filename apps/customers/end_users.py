"""What changes of an end user: blocked, let in again, noted. Each change is in the audit log.

`by` is who does it: a user, or None for a command or an alert. Names are as the proxy keeps them.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import User
from apps.customers.models import Customer, EndUser
from apps.customers.services import lock, notify_grants
from apps.kit.errors import Refused

MOST_BLOCKED = 10_000  # of one customer: every proxy has them all in memory


class BlockedByOperator(Refused):
    """Only the operator can let this user in again."""


def end_user_of(customer: Customer, name: str) -> EndUser:
    """What is known of it; an unsaved row where nothing is."""
    return customer.end_users.filter(name=name).first() or EndUser(customer=customer, name=name)


@transaction.atomic
def block_end_user(
    customer: Customer, name: str, *, by: User | None, at: datetime, reason: str = "", is_operator: bool = False
) -> EndUser:
    """Refuse the user's calls from now on, on every proxy, with 403 and `end_user_blocked`.

    One that is blocked stays as it is, but that the operator can make a block of the customer's its own.
    Raises ValidationError where too many are.
    """
    customer = lock(customer)
    row = end_user_of(customer, name)
    if row.is_blocked and (row.is_blocked_by_operator or not is_operator):
        return row
    if not row.is_blocked and customer.end_users.exclude(blocked_at=None).count() >= MOST_BLOCKED:
        raise ValidationError(_("At most %(most)d users can be blocked."), params={"most": MOST_BLOCKED})
    changes = {"blocked_at": (row.blocked_at, row.blocked_at or at), "reason": (row.block_reason, reason)}
    row.blocked_at, row.block_reason, row.is_blocked_by_operator = row.blocked_at or at, reason[:500], is_operator
    return _save(row, "end_user.block", changes, by=by, is_told_to_proxies=True)


@transaction.atomic
def unblock_end_user(customer: Customer, name: str, *, by: User | None, is_operator: bool = False) -> EndUser:
    """Let the user's calls in again. Raises BlockedByOperator for a customer where its operator blocked."""
    customer = lock(customer)
    row = end_user_of(customer, name)
    if not row.is_blocked:
        return row
    if row.is_blocked_by_operator and not is_operator:
        raise BlockedByOperator(_("The operator of this service has blocked this user: only it can lift that."))
    changes = {"blocked_at": (row.blocked_at, None)}
    row.blocked_at, row.block_reason, row.is_blocked_by_operator = None, "", False
    return _save(row, "end_user.unblock", changes, by=by, is_told_to_proxies=True)


@transaction.atomic
def note_end_user(customer: Customer, name: str, note: str, *, by: User | None, is_operator: bool = False) -> EndUser:
    """Write down something about the user, in the place of what was there. Operator and customer have a note each.

    The audit log keeps every version; the customer doesn't see the operator's. Raises ValidationError.
    """
    customer = lock(customer)
    row = end_user_of(customer, name)
    field = "operator_note" if is_operator else "note"
    before, note = getattr(row, field), note.strip()
    if before == note:
        return row
    setattr(row, field, note)
    return _save(row, "end_user.note", {"note": (before, note)}, by=by, is_private=is_operator)


def _save(
    row: EndUser,
    action: str,
    changes: audit.Changes,
    *,
    by: User | None,
    is_told_to_proxies: bool = False,
    is_private: bool = False,
) -> EndUser:
    row.full_clean()
    row.save()
    whose = None if is_private else row.customer
    audit.record(row.customer.organization, action, row, actor=by, changes=changes, customer=whose)
    if is_told_to_proxies:
        notify_grants(customer_id=row.customer_id)
    return row
