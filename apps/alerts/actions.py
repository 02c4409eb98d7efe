"""What is done to whom an alert or a finding is about: through the services that people use, in their audit log."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import User
from apps.alerts.errors import CannotAct
from apps.alerts.models import AlertEvent, AlertRule
from apps.alerts.terms import Action, Subject
from apps.customers.end_users import block_end_user
from apps.customers.limit_fields import LIMITS
from apps.customers.models import Customer
from apps.customers.services import suspend_customer, update_customer
from apps.keys.models import ProxyKey
from apps.keys.services.proxy_keys import limit_proxy_key, revoke_proxy_key
from apps.kit.errors import Refused
from apps.limits.services import set_end_user_limits
from apps.usage.standing import limits_of_end_user

NOTHING_THROUGH = 0
USUAL_THROTTLE = 10  # requests a minute

POSSIBLE: dict[str, tuple[Action, ...]] = {
    Subject.USER: (Action.THROTTLE, Action.BLOCK),
    Subject.KEY: (Action.THROTTLE, Action.BLOCK, Action.REVOKE, Action.SUSPEND),
    Subject.CUSTOMER: (Action.THROTTLE, Action.SUSPEND),
}


def act_on(rule: AlertRule, event: AlertEvent) -> str:
    """Do what the rule says, as “alert rule X”; what came of it, for the event. An action that fails loses no alert."""
    try:
        with transaction.atomic(), audit.acting_as(f"alert rule {rule.name}"):
            subject = Subject(event.subject) if event.subject else None
            return take_action(
                rule.organization.customers.filter(pk=event.customer_id).first(),
                subject,
                event.subject_id,
                Action(rule.action),
                by=None,
                most=rule.action_limit,
                is_operator=not rule.is_customers,
            )
    except (Refused, ValidationError) as error:
        reason = " ".join(getattr(error, "messages", [str(error)]))
        return (_("Not done: %(reason)s") % {"reason": reason})[:300]


@transaction.atomic
def take_action(
    customer: Customer | None,
    subject: Subject | None,
    subject_id: str,
    action: Action,
    *,
    by: User | None,
    most: int | None = None,
    is_operator: bool = True,
) -> str:
    """Do `action` to the customer, to one of its keys or end users, and say what was done.

    most: requests a minute, for Action.THROTTLE. A limit that is narrower already stays.
    is_operator: a customer cannot lift its operator's block of an end user.
    Raises CannotAct, ValidationError.
    """
    if customer is None or subject is None:
        raise CannotAct(_("It is about everybody together: nobody to do it to."))
    if action is Action.SUSPEND:
        suspend_customer(customer, by=by, at=timezone.now())
        return _("Suspended %(name)s.") % {"name": customer}
    if action not in POSSIBLE[subject]:
        raise CannotAct(_("Not possible for: %(subject)s.") % {"subject": Subject(subject).label.lower()})
    limit = NOTHING_THROUGH if action is Action.BLOCK else USUAL_THROTTLE if most is None else most
    if subject is Subject.USER and action is Action.BLOCK:
        reason = audit.acting.get() if by is None else _("finding of abuse")
        block_end_user(customer, subject_id, by=by, at=timezone.now(), reason=reason, is_operator=is_operator)
    elif subject is Subject.USER:
        _limit_end_user(customer, subject_id, limit, by)
    elif subject is Subject.KEY:
        return _to_key(customer, subject_id, action, limit, by)
    else:
        update_customer(customer, by=by, requests_per_minute=_narrower(customer.requests_per_minute, limit))
    return _said(subject_id if subject is Subject.USER else str(customer), limit)


def _to_key(customer: Customer, key_id: str, action: Action, limit: int, by: User | None) -> str:
    key = ProxyKey.objects.filter(customer=customer, pk=UUID(key_id)).select_related("customer").first()
    if key is None:
        raise CannotAct(_("The key is gone."))
    if action is Action.REVOKE:
        revoke_proxy_key(key, by=by)
        return _("Revoked the key “%(name)s”.") % {"name": key.name}
    limit_proxy_key(key, by=by, requests_per_minute=_narrower(key.requests_per_minute, limit))
    return _said(key.name, limit)


def _limit_end_user(customer: Customer, end_user: str, limit: int, by: User | None) -> None:
    """Its limits stay, and this one comes to them: limits of its own take the place of the default, all of them."""
    held = limits_of_end_user(customer, end_user)
    limits: dict[str, Any] = audit.fields_of(held, LIMITS) if held else {}
    limits["requests_per_minute"] = _narrower(limits.get("requests_per_minute"), limit)
    set_end_user_limits(customer, end_user, by=by, **limits)


def _narrower(now: int | None, wanted: int) -> int:
    return wanted if now is None else min(now, wanted)


def _said(name: str, limit: int) -> str:
    if limit == NOTHING_THROUGH:
        return _("Nothing of %(name)s is let through.") % {"name": name}
    return _("Limited %(name)s to %(limit)d requests a minute.") % {"name": name, "limit": limit}
