"""Adapters for credit: which pays, how much is added, what expires."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.billing.burn import USUAL_PRIORITY, Lot, burn_order, plan_draw
from apps.billing.money import from_minor, round_half_away, to_minor
from apps.billing.taxes import Rounding, TaxRate
from apps.billing.topping_up import TopUpRule, top_up_amount
from apps.billing.totals import Line, total_up

Case = dict[str, Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lot(key: str, amount: object, **more: Any) -> Lot:
    return Lot(key, Decimal(str(amount)), NOW - timedelta(days=1), **more)


def drawn_by_lot(draws: list[Any]) -> dict[Any, int]:
    return {draw.lot.key: int(draw.amount) for draw in draws}


def order(case: Case) -> Case:
    given = case["inputs"]
    if "grants" in given:
        lots = [lot(each["id"], 1, priority=each.get("priority", USUAL_PRIORITY)) for each in given["grants"]]
        return {"order": [each.key for each in burn_order(lots, at=NOW)]}
    lots = [lot(each["id"], each["balance"]) for each in given["wallets"] if each["currency"] == given["currency"]]
    return drawn_by_lot(plan_draw(Decimal(given["total"]), lots, at=NOW)[0])


def currency_lock(case: Case) -> Case:
    wallets = [lot(name, 1000) for name in case["inputs"]["wallets"] if name == case["inputs"]["invoice"]]
    draws, _ = plan_draw(Decimal(100), wallets, at=NOW)
    return {"applied": sum(drawn_by_lot(draws).values())}


def rounding(case: Case) -> Case:
    given = case["inputs"]
    if "paid_credits" in given:
        paid = round_half_away(Decimal(given["paid_credits"]) * Decimal(given["rate"]), given["currency"])
        return {"cents": to_minor(paid, given["currency"]), "credits": str(paid)}
    pairs = zip(map(Decimal, given["fees"]), map(Decimal, given["precise_tax"]), strict=True)
    lines = [Line(fee, (TaxRate("VAT", 100 * tax / fee),)) for fee, tax in pairs]
    total = total_up(lines, "JPY", rounding=Rounding.LINE).total
    assert total == given["invoice_total"]
    draws, _ = plan_draw(total, [lot("wallet", given["wallet"])], at=NOW)
    return {"applied": drawn_by_lot(draws)["wallet"]}


def lots(case: Case) -> Case:
    given = case["inputs"]
    left = {str(index): Decimal(amount) for index, amount in enumerate(given["lots"])}
    links = []
    for consumed in given["consume"]:
        there = [lot(key, amount, serial=int(key)) for key, amount in left.items()]
        draws, _ = plan_draw(Decimal(consumed), there, at=NOW)
        left |= {draw.lot.key: draw.lot.remaining - draw.amount for draw in draws}
        links.append([str(draw.amount) for draw in draws])
    return {"remaining": [str(amount) for amount in left.values()], "links": links}


def auto_topup(case: Case) -> Case:
    given = case["inputs"]
    assert given["max_top_up"] is None
    rule = TopUpRule(Decimal(given["threshold"]), size=Decimal(given["top_up"]))
    coming = Decimal(given["granted"]) + Decimal(given["pending"])
    paid = top_up_amount(rule, Decimal(given["ongoing_balance"]), pending=coming, currency="EUR")
    return {"paid_credits": str(int(paid))}


def grants(case: Case) -> Case:
    given = case["inputs"]
    return GRANTS[case["id"]](given)


def of_several(given: Case) -> Case:
    there = [
        lot(
            each["id"],
            each["amount"],
            priority=each["priority"],
            expires_at=NOW + timedelta(days=each["expires_days"]) if "expires_days" in each else None,
        )
        for each in given["grants"]
    ]
    draws, short_by = plan_draw(Decimal(given["usage"]), there, at=NOW)
    left = {each.key: int(each.remaining) for each in there}
    for key, amount in drawn_by_lot(draws).items():
        left[key] -= amount
    return left or {"overage": int(short_by)}


def voided(given: Case) -> Case:
    """What is voided has nothing left: later usage finds no credit."""
    before = lot("grant", given["grant"])
    (draw,), _ = plan_draw(Decimal(given["use_before_void"]), [before], at=NOW)
    void = lot("grant", 0)
    draws, short_by = plan_draw(Decimal(given["use_after_void"]), [void], at=NOW)
    assert (draw.amount, draws) == (given["use_before_void"], [])
    return {"balance": int(void.remaining), "overage": int(short_by)}


def activated_late(given: Case) -> Case:
    later = Lot("grant", Decimal(given["grant"]), NOW)
    _, overage = plan_draw(Decimal(given["use_before"]), [later], at=NOW - timedelta(hours=1))
    draws, _ = plan_draw(overage + given["use_after"], [later], at=NOW)
    return {"balance": int(later.remaining - draws[0].amount), "overage_at_start": int(overage)}


def expired(given: Case) -> Case:
    gone = Lot("grant", Decimal(given["grant"]), NOW - timedelta(days=30), expires_at=NOW)
    return {"balance": sum(int(each.remaining) for each in burn_order([gone], at=NOW))}


GRANTS = {
    "grant-priority": of_several,
    "grant-expiry": of_several,
    "grant-none": of_several,
    "grant-void": voided,
    "grant-late-activation": activated_late,
    "grant-expired-start": expired,
}


def settlement(case: Case) -> Case:
    given = case["inputs"]
    draws, short_by = plan_draw(Decimal(given["charge"]), [lot("wallet", given["balance"])], at=NOW)
    return {"credits": str(sum(drawn_by_lot(draws).values())), "invoice": str(int(short_by))}


def purchase(case: Case) -> Case:
    given = case["inputs"]
    cents = to_minor(Decimal(given["credits"]) * Decimal(given["unit_price"]), "USD")
    return {"invoice": str(from_minor(cents, "USD"))}


def breakage(case: Case) -> Case:
    """What a lot has left goes at the instant at which it expires, and no sooner."""
    given = case["inputs"]
    expires_at = NOW + timedelta(days=9)
    whole = lot("grant", given["credit"], expires_at=expires_at)
    (draw,), _ = plan_draw(Decimal(given["used"]), [whole], at=NOW + timedelta(days=4))
    rest = lot("grant", whole.remaining - draw.amount, expires_at=expires_at)
    before = burn_order([rest], at=expires_at - timedelta(microseconds=1))
    after = burn_order([rest], at=expires_at)
    return {
        "balance_before_expiry": str(before[0].remaining),
        "expired": str(rest.remaining),
        "balance_after": str(sum((each.remaining for each in after), Decimal(0))),
    }


ADAPTERS = {
    "wallet.order": order,
    "money.currency": currency_lock,
    "wallet.rounding": rounding,
    "wallet.lots": lots,
    "wallet.auto_topup": auto_topup,
    "wallet.grants": grants,
    "wallet.settlement_mode": settlement,
    "wallet.purchase": purchase,
    "ledger.expiry": breakage,
}
