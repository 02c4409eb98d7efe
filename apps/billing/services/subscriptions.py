"""Customers on plans: begun, changed, ended. A subscription is on one version of a plan and stays on it.

A change ends one and begins another: at once, which is from this morning on, or when the period is over. The day on
which one is ended is still of it; the day of a change is of the new one. What was billed for days that never come
is taken back on the next invoice (apps.billing.charges). `by` is who does it: a user, or None for a command.
"""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.errors import NotPossible
from apps.billing.models import Invoice, Plan, PlanVersion, Subscription
from apps.billing.periods import begin_of, day_of
from apps.billing.queries.subscriptions import live_subscriptions, period_of
from apps.billing.services.beginnings import begin, fit_rate_card
from apps.billing.services.included import trim_allowance
from apps.billing.services.plans import newest_version, refuse_retired
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer

A_DAY = timedelta(days=1)


@transaction.atomic
def subscribe(
    customer: Customer,
    version: PlanVersion,
    *,
    by: User | None,
    at: datetime,
    starts_on: date | None = None,
    trial_days: int | None = None,
) -> Subscription:
    """Put the customer on a plan.

    starts_on: the first day, in the organization's zone; None: today. Earlier than today as long as none of it is
    invoiced. trial_days: without a fee or a commitment; None: as many as the plan has.
    Raises NotPossible, nothing changed: it is on a plan then, the plan is retired, the days are invoiced.
    """
    customer = lock_customer(customer)
    _check_offered(customer, version)
    zone = customer.organization.time_zone
    first = starts_on or day_of(at, zone)
    starts_at = begin_of(first, zone)
    if known := customer.subscriptions.filter(Q(ends_at=None) | Q(ends_at__gt=starts_at)).first():
        raise NotPossible(_("%(customer)s is on %(plan)s then: change that.") % _named(customer, known.version.plan))
    _refuse_invoiced(customer, starts_at)
    trial = version.trial_days if trial_days is None else trial_days
    subscription = Subscription(
        customer=customer,
        version=version,
        starts_at=starts_at,
        anchor_on=first,
        time_zone=zone,
        trial_ends_at=begin_of(first + trial * A_DAY, zone) if trial else None,
        created_at=at,
    )
    return _add(subscription, "subscription.add", by=by, at=at)


@transaction.atomic
def change_subscription(
    subscription: Subscription, version: PlanVersion, *, by: User | None, at: datetime, at_period_end: bool
) -> Subscription:
    """Put the customer on another plan, or on another version of its own: today, or when the period is over.

    A change that was to come is replaced by this one. Periods go on from the same day of the month if they are as
    long as before. Gives the subscription that follows. Raises NotPossible, nothing changed.
    """
    subscription = _locked(subscription)
    _check_offered(subscription.customer, version)
    _forget_next(subscription, at)
    if subscription.version_id == version.pk:
        raise NotPossible(_("%(customer)s is on these terms.") % _named(subscription.customer, version.plan))
    changes_on = _end_day(subscription, at, at_period_end=at_period_end, today_is_left=True)
    replaced = _end(subscription, changes_on, at)
    starts_at = begin_of(changes_on, subscription.time_zone)
    follows = Subscription(
        customer=subscription.customer,
        version=version,
        starts_at=starts_at,
        anchor_on=_anchor(subscription, version, changes_on),
        time_zone=subscription.time_zone,
        trial_ends_at=_rest_of_trial(subscription, starts_at),
        created_at=at,
    )
    if replaced:
        subscription.delete()
    return _add(follows, "subscription.change", by=by, at=at, before=subscription)


@transaction.atomic
def end_subscription(subscription: Subscription, *, by: User | None, at: datetime, at_period_end: bool) -> Subscription:
    """Let the customer be on no plan: after today, or when the period is over. Raises NotPossible.

    One that has not begun never will: it is gone.
    """
    subscription = _locked(subscription)
    before = subscription.ends_at
    _forget_next(subscription, at)
    if subscription.starts_at > at:
        _record(subscription, "subscription.end", by=by, changes={"starts_at": (subscription.starts_at, None)})
        subscription.delete()
        fit_rate_card(subscription.customer, by=by, at=at)
        return subscription
    _end(subscription, _end_day(subscription, at, at_period_end=at_period_end, today_is_left=False), at)
    fit_rate_card(subscription.customer, by=by, at=at)
    _record(subscription, "subscription.end", by=by, changes={"ends_at": (before, subscription.ends_at)})
    return subscription


@transaction.atomic
def keep_subscription(subscription: Subscription, *, by: User | None, at: datetime) -> Subscription:
    """Undo an end or a change that is still to come. Raises NotPossible where it has come."""
    subscription = _locked(subscription)
    before = subscription.ends_at
    if before is None:
        return subscription
    if before <= at:
        raise NotPossible(_("It has ended: put the customer on the plan again."))
    _forget_next(subscription, at)
    subscription.ends_at = None
    subscription.save(update_fields=["ends_at"])
    fit_rate_card(subscription.customer, by=by, at=at)
    _record(subscription, "subscription.keep", by=by, changes={"ends_at": (before, None)})
    return subscription


def move_subscribers(plan: Plan, *, by: User | None, at: datetime) -> int:
    """Put all who are on earlier versions of the plan on the newest, each when its period is over.

    Those that are to change or to end stay as they are. Returns how many; called twice, it moves nobody again.
    """
    newest = newest_version(plan)
    behind = live_subscriptions(at).filter(version__plan=plan, ends_at=None).exclude(version=newest)
    for subscription in behind:
        change_subscription(subscription, newest, by=by, at=at, at_period_end=True)
    return len(behind)


def _check_offered(customer: Customer, version: PlanVersion) -> None:
    if version.plan.organization_id != customer.organization_id:
        raise NotPossible(_("There is no such plan."))
    refuse_retired(version.plan)


def _refuse_invoiced(customer: Customer, starts_at: datetime) -> None:
    """What is invoiced without a plan, or with another, is not to be priced again."""
    final = customer.invoices.final().exclude(state=Invoice.State.VOID)
    if final.filter(kind=Invoice.Kind.PERIOD, period_end__gt=starts_at).exists():
        raise NotPossible(_("Days from then on are invoiced already: choose a later day."))


def _locked(subscription: Subscription) -> Subscription:
    """As it is now, with its customer held. Raises NotPossible where it is gone: it was replaced the same day."""
    lock_customer(subscription.customer)
    found = Subscription.objects.select_related("version__plan", "customer__organization").filter(pk=subscription.pk)
    if not (current := found.first()):
        raise NotPossible(_("It was replaced meanwhile: look again."))
    return current


def _forget_next(subscription: Subscription, at: datetime) -> None:
    """A change that was to come does not, and the subscription before it goes on."""
    following = subscription.customer.subscriptions.filter(starts_at__gt=max(at, subscription.starts_at))
    if following.exists():
        following.delete()
        subscription.ends_at = None
        subscription.save(update_fields=["ends_at"])


def _end_day(subscription: Subscription, at: datetime, *, at_period_end: bool, today_is_left: bool) -> date:
    """The first day without it."""
    if subscription.ends_at is not None and subscription.ends_at <= at:
        raise NotPossible(_("It has ended: put the customer on the plan again."))
    if at_period_end:
        return period_of(subscription, at).until
    today = day_of(max(at, subscription.starts_at), subscription.time_zone)
    return today if today_is_left else today + A_DAY


def _end(subscription: Subscription, day: date, at: datetime) -> bool:
    """Let it end before that day. True: it has no day at all then, and is to be replaced."""
    ends_at = begin_of(day, subscription.time_zone)
    if ends_at <= subscription.starts_at:
        if subscription.invoices.exists():
            raise NotPossible(_("It began today and is on an invoice already: change it tomorrow."))
        trim_allowance(subscription, day, at=at)
        return True
    _refuse_invoiced(subscription.customer, ends_at)
    subscription.ends_at = ends_at
    subscription.save(update_fields=["ends_at"])
    if ends_at <= at + A_DAY:
        trim_allowance(subscription, day, at=at)
    return False


def _anchor(before: Subscription, version: PlanVersion, first: date) -> date:
    """Periods of the same length go on; of another, they begin with the change."""
    return before.anchor_on if before.version.interval == version.interval else first


def _rest_of_trial(before: Subscription, starts_at: datetime) -> datetime | None:
    trial = before.trial_ends_at
    return trial if trial is not None and trial > starts_at else None


def _add(
    subscription: Subscription, action: str, *, by: User | None, at: datetime, before: Subscription | None = None
) -> Subscription:
    subscription.full_clean(exclude=["customer", "version"], validate_unique=False, validate_constraints=False)
    subscription.save(force_insert=True)
    was = str(before.version) if before else None
    changes: audit.Changes = {
        "plan": (was, str(subscription.version)),
        "starts_at": (None, subscription.starts_at),
        "trial_ends_at": (None, subscription.trial_ends_at),
    }
    _record(subscription, action, by=by, changes={name: pair for name, pair in changes.items() if pair[1] is not None})
    if not begin(subscription, by=by, at=at):
        fit_rate_card(subscription.customer, by=by, at=at)
    return subscription


def _record(subscription: Subscription, action: str, *, by: User | None, changes: audit.Changes) -> None:
    customer = subscription.customer
    audit.record(customer.organization, action, subscription, actor=by, changes=changes, customer=customer)


def _named(customer: Customer, plan: Plan) -> dict[str, object]:
    return {"customer": customer, "plan": plan}
