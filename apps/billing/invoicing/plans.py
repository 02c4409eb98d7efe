"""The lines of what a customer used in a period, by the plans that it was on; without one, by its requests' prices."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from uuid import UUID

from apps.billing.charges import ChargeLine, PeriodCharges, Served, opening_charges, period_charges
from apps.billing.charges import Kind as ChargeKind
from apps.billing.discounts import Discount
from apps.billing.invoicing.days import Used
from apps.billing.invoicing.due import Due, cycle_of
from apps.billing.invoicing.lines import Drafted, Kind, Weights, usage_lines
from apps.billing.measured import Usage
from apps.billing.models import AppliedCoupon, PlanVersion, Subscription
from apps.billing.money import converted, summed
from apps.billing.periods import A_MOMENT, Alignment, Interval, Period, day_of
from apps.billing.terms import Terms, parse_charges, parse_free_units

Fees = Mapping[tuple[UUID, date], Decimal]  # by subscription and first day of a period: of its fee, in its currency
RateOf = Callable[[str], Decimal]  # by currency: for a US dollar


class Part(NamedTuple):
    """Days of a period on which a customer was on one plan, or on none."""

    subscription: Subscription | None
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Billed:
    """What earlier invoices say of a customer's plans."""

    fees: Fees = field(default_factory=dict)
    rolled: Mapping[str, Decimal] = field(default_factory=dict)  # what allowances have left over, by name


@dataclass(frozen=True)
class Planned:
    lines: list[Drafted]
    discounts: list[Discount]


def parts_of(due: Due, subscriptions: Sequence[Subscription]) -> list[Part]:
    """The period's days in order, by plan; without a gap."""
    parts, since, end = [], due.period.since_at, due.period.until_at
    for subscription in subscriptions:
        begins = max(subscription.starts_at, since)
        ends = min(subscription.ends_at or end, end)
        if begins >= ends:
            continue
        if since < begins:
            parts.append(Part(None, since, begins))
        parts.append(Part(subscription, begins, ends))
        since = ends
    return parts if since >= end else [*parts, Part(None, since, end)]


def period_lines(
    due: Due,
    parts: Sequence[Part],
    used: Iterable[Used],
    subscriptions: Sequence[Subscription],
    *,
    currency: str,
    rate_of: RateOf,
    weights: Weights,
    billed: Billed,
    coupons: Sequence[AppliedCoupon] = (),
    is_prepaid: bool = False,
) -> Planned:
    """Fees, usage, charges, what is included, commitments; without what credit paid.

    used: of the period, each with the `since` of its part. is_prepaid: usage was paid from credit at the price that
    it has, so that no discount can be on it.
    """
    by_part: dict[datetime, list[Used]] = {}
    for each in used:
        by_part.setdefault(each.since, []).append(each)
    lines: list[Drafted] = []
    discounts = [_coupon(each, currency, rate_of) for each in coupons]
    for part in parts:
        of_part = by_part.get(part.since, [])
        if part.subscription is None:
            lines += usage_lines(of_part, weights, rate_of(currency), since=part.since, until=part.until)
            continue
        terms = terms_of(part.subscription.version)
        charged = _charged(terms, due, part.subscription, of_part, billed, rate_of)
        lines += _drafted(part, charged, of_part, terms, currency, rate_of, weights)
        discounts += [each for each in charged.discounts if each not in discounts]
    lines += _fees_besides(due, parts, subscriptions, billed, currency, rate_of)
    if is_prepaid:
        lines = [replace(line, is_discountable=line.kind != Kind.USAGE) for line in lines]
    return Planned(sorted(lines, key=lambda line: line.kind != Kind.FEE), discounts)


def terms_of(version: PlanVersion) -> Terms:
    """As they are counted with."""
    return Terms(
        name=version.plan.name,
        currency=version.currency,
        interval=Interval(version.interval),
        alignment=Alignment(version.alignment),
        fee=version.fee,
        is_in_advance=version.fee_due == PlanVersion.FeeDue.ADVANCE,
        minimum=version.minimum,
        discount_percent=version.discount_percent,
        charges=parse_charges(version.charges),
        free=parse_free_units(version.allowances),
    )


def served_of(subscription: Subscription) -> Served:
    """On which days it is, and from which on it costs."""
    zone, trial = subscription.time_zone, subscription.trial_ends_at
    first = day_of(subscription.starts_at, zone)
    until = day_of(subscription.ends_at, zone) if subscription.ends_at else None
    return Served(first, until, day_of(trial, zone) if trial else first)


def _charged(
    terms: Terms, due: Due, subscription: Subscription, used: Sequence[Used], billed: Billed, rate_of: RateOf
) -> PeriodCharges:
    cycle = cycle_of(subscription)
    following = cycle.period(cycle.index_on(due.whole.first) + 1)
    return period_charges(
        terms,
        [_usage(name, each) for name, each in _by_name(used).items()],
        due.whole,
        served_of(subscription),
        following=following,
        fee_billed=billed.fees.get((subscription.pk, due.whole.first), 0),
        next_fee_billed=billed.fees.get((subscription.pk, following.first), 0),
        per_dollar=rate_of(terms.currency),
        rolled=billed.rolled,
    )


def _by_name(used: Iterable[Used]) -> dict[str, list[Used]]:
    by_name: dict[str, list[Used]] = {}
    for each in used:
        by_name.setdefault(each.sold_as, []).append(each)
    return by_name


def _usage(name: str, used: Sequence[Used]) -> Usage:
    tokens: dict[str, int] = {}
    for each in used:
        for kind, count in each.tokens.items():
            tokens[kind] = tokens.get(kind, 0) + count
    return Usage(name, sum(each.requests for each in used), tokens, summed(each.price for each in used))


def _drafted(
    part: Part,
    charged: PeriodCharges,
    used: Sequence[Used],
    terms: Terms,
    currency: str,
    rate_of: RateOf,
    weights: Weights,
) -> list[Drafted]:
    """Usage is told by kind of token; all else is a line each."""
    by_name = _by_name(used)
    lines: list[Drafted] = []
    for line in charged.lines:
        if line.kind is ChargeKind.USAGE and line.usage is not None:
            of_model = by_name[line.usage.model]
            lines += usage_lines(of_model, weights, rate_of(currency), since=part.since, until=part.until)
        else:
            lines.append(_line(line, terms, part.subscription, currency, rate_of))
    return lines


def _line(line: ChargeLine, terms: Terms, subscription: Subscription | None, currency: str, rate_of: RateOf) -> Drafted:
    ratio = Fraction(rate_of(currency)) / Fraction(rate_of(terms.currency))
    unit_price = None if line.unit_price is None else converted(line.unit_price, ratio)
    details = dict(line.details) | {"subscription": str(subscription.pk) if subscription else None, "name": line.name}
    if line.kind is ChargeKind.FEE:
        details |= {"first": line.service.first, "fee": line.amount, "currency": terms.currency}
    return Drafted(
        Kind(line.kind.value),
        _named(line),
        converted(line.amount, ratio),
        quantity=line.quantity,
        unit=line.unit,
        unit_price=unit_price,
        since=line.service.since_at,
        until=line.service.until_at,
        is_discountable=line.kind is not ChargeKind.MINIMUM,
        details=details,
    )


def _named(line: ChargeLine) -> str:
    """In words, with what is not plain from the line itself."""
    match line.kind:
        case ChargeKind.FEE:
            days = line.details.get("days"), line.details.get("of")
            part = "" if days[0] == days[1] else f" · {days[0]} of {days[1]} days"
            return f"{line.name} · {spoken(line.service)}{part}"
        case ChargeKind.MINIMUM:
            return f"{line.name} · minimum commitment"
        case ChargeKind.ALLOWANCE:
            return f"{line.name} · included"
        case ChargeKind.DISCOUNT:
            return f"{line.name} · above the most that it costs"
        case _:
            return line.name


def spoken(period: Period) -> str:
    """Its first and last day, in words."""
    last = day_of(period.until_at - A_MOMENT, period.zone_name)
    return f"{period.first:%-d %b} to {last:%-d %b %Y}"


def _fees_besides(
    due: Due,
    parts: Sequence[Part],
    subscriptions: Sequence[Subscription],
    billed: Billed,
    currency: str,
    rate_of: RateOf,
) -> list[Drafted]:
    """Of subscriptions that have no day of the period: fees billed in advance for days that never came are taken
    back, and who begins right after it pays in advance.
    """
    here = {part.subscription.pk for part in parts if part.subscription}
    lines: list[Drafted] = []
    for subscription in subscriptions:
        if subscription.pk in here:
            continue
        terms, served, cycle = terms_of(subscription.version), served_of(subscription), cycle_of(subscription)
        if served.first == due.period.until:
            period = cycle.period(cycle.index_on(served.first))
            fee = billed.fees.get((subscription.pk, period.first), Decimal(0))
            found = opening_charges(terms, period, served, fee_billed=fee)
            lines += [_line(found, terms, subscription, currency, rate_of)] if found else []
        for (subscription_id, first), amount in billed.fees.items():
            if subscription_id == subscription.pk and due.period.first <= first < due.period.until:
                charged = period_charges(terms, (), cycle.period(cycle.index_on(first)), served, fee_billed=amount)
                lines += [_line(line, terms, subscription, currency, rate_of) for line in charged.lines]
    return lines


def _coupon(applied: AppliedCoupon, currency: str, rate_of: RateOf) -> Discount:
    coupon = applied.coupon
    if coupon.percent is not None:
        return Discount(coupon.code, percent=coupon.percent)
    ratio = Fraction(rate_of(currency)) / Fraction(rate_of(coupon.currency))
    return Discount(coupon.code, amount=converted(coupon.amount or 0, ratio))
