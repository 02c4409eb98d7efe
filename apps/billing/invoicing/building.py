"""Drafts are built from the roll-ups: the invoice of a period for some customers at once, in one transaction.

Building again gives the same where nothing changed, and what there is now where something did; what was added by
hand stays. It is a few queries, however many customers and requests there are. Each customer's row is locked first,
so that two builders of the same period come one after the other, and the second finds what the first made.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from apps.accounts.models import Organization
from apps.billing.invoicing.billed import billed_before
from apps.billing.invoicing.composing import Composed, How, compose, is_nothing, total_of
from apps.billing.invoicing.credit import Drawn, drawn_of, late_credit, wallets_to_draw
from apps.billing.invoicing.days import Used, Wanted, late_days, take_days
from apps.billing.invoicing.due import Due
from apps.billing.invoicing.fees_back import credit_fees, takes_fees_back, without_crumbs
from apps.billing.invoicing.late import Late, charged_late, settle_late
from apps.billing.invoicing.lines import Drafted, Kind, Weights, credit_line
from apps.billing.invoicing.plans import Billed, Part, Planned, parts_of, period_lines
from apps.billing.invoicing.spans import First, earlier_days, first_invoices, since_of, spans_of
from apps.billing.invoicing.terms import Terms, TermsOf
from apps.billing.invoicing.weights import weights_at
from apps.billing.models import Invoice, InvoicedDay, InvoiceLine, InvoiceTax, InvoiceTransition, Wallet
from apps.billing.queries.zones import are_days_moving, billed_zones
from apps.billing.services.days import lock_days
from apps.billing.services.drawing import draw_usage
from apps.billing.taxes import Rounding
from apps.customers.models import Customer
from apps.kit.errors import Refused
from apps.kit.failpoints import reach

State = Invoice.State
USED = frozenset((Kind.USAGE, Kind.CHARGE, Kind.ALLOWANCE))
AMOUNTS = (
    "subscription",
    "period_end",
    "currency",
    "per_dollar",
    "precise_subtotal",
    "subtotal",
    "discount",
    "discounts",
    "tax",
    "total",
    "built_at",
)
ROWS_AT_ONCE = 2_000
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
MOVING = "Its days are being made anew in the organization's new time zone: try again in a few minutes."


@dataclass
class Built:
    """What became of some periods."""

    made: list[Invoice] = field(default_factory=list)
    built_again: list[Invoice] = field(default_factory=list)
    final: int = 0  # that were final already: nothing is done to them
    empty: int = 0  # nothing was used and no fee is due: no invoice
    refused: list[tuple[Due, str]] = field(default_factory=list)  # what has to be set first
    credit_notes: int = 0  # made because earlier usage became cheaper

    @property
    def drafts(self) -> list[Invoice]:
        return [*self.made, *self.built_again]


@dataclass
class Draft:
    """One of them on its way."""

    due: Due
    terms: Terms
    invoice: Invoice
    is_new: bool
    parts: list[Part]
    by_hand: list[InvoiceLine] = field(default_factory=list)
    composed: Composed | None = None


class CannotBuild(Exception):
    """Of these customers. Nothing is stored: the others are built without them."""

    def __init__(self, reasons: dict[UUID, str]) -> None:
        super().__init__(reasons)
        self.reasons = reasons


def build_drafts(organization: Organization, dues: Sequence[Due], *, at: datetime) -> Built:
    """The drafts of these periods, of which each is of another customer.

    What one customer lacks (an exchange rate, say) holds up nobody else.
    """
    refused: dict[UUID, str] = {}
    draw_credit(organization, dues, at)
    while True:
        wanted = [due for due in dues if due.customer_id not in refused]
        try:
            with transaction.atomic():
                built = build_locked(organization, wanted, at)
        except CannotBuild as cannot:
            refused |= cannot.reasons
            continue
        built.refused = [(due, refused[due.customer_id]) for due in dues if due.customer_id in refused]
        return built


def draw_credit(organization: Organization, dues: Sequence[Due], at: datetime) -> None:
    """Have wallets pay for what was used until the ends of these periods, each in a transaction of its own.

    Not while we hold customers: a wallet's draw waits for accounts that others of its organization book on.
    """
    wanted = [Wanted(due.customer_id, due.customer_id, LONG_AGO, due.period.until_at) for due in dues]
    for wallet_id, _ in wallets_to_draw(organization.pk, wanted):
        draw_usage(wallet_id, at=at)


def build_locked(organization: Organization, dues: Sequence[Due], at: datetime) -> Built:
    """In the transaction at hand. Raises CannotBuild: it has to be rolled back then."""
    lock_days(organization)
    customers = lock_customers([due.customer_id for due in dues])
    built, terms_of = Built(), TermsOf(organization)
    drafts = _drafts(organization, dues, customers, terms_of, built, at)
    _set_rates(drafts, terms_of)
    first, zone = first_invoices(customers), billed_zones(organization)[-1].name
    wanted = [
        Wanted(each.invoice.pk, each.due.customer_id, since, part.until)
        for each in drafts
        for part, since in spans_of(each.due, each.parts, first, zone)
    ]
    _clear([each.invoice for each in drafts if not each.is_new])
    whole = [
        Wanted(each.invoice.pk, each.due.customer_id, since_of(each.due, first, zone), each.due.period.until_at)
        for each in drafts
    ]
    reader = Reader(organization, terms_of, wanted, whole, first, at)
    if drafts and are_days_moving(organization):
        raise CannotBuild({each.due.customer_id: MOVING for each in drafts})
    problems: dict[UUID, str] = {}
    for each in drafts:
        try:
            _compose(each, reader)
        except Refused as refusal:
            problems[each.due.customer_id] = str(refusal)
    if problems:
        raise CannotBuild(problems)
    built.credit_notes = reader.credit_notes
    _store(drafts, built)
    reach("drafts_built")
    return built


def lock_customers(ids: Collection[UUID]) -> dict[UUID, Customer]:
    """They and their wallets, held until the transaction ends, in the order of ids: who else builds for them waits."""
    rows = Customer.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=ids)
    customers = {customer.pk: customer for customer in rows.order_by("pk")}
    list(Wallet.objects.select_for_update(no_key=True).filter(customer__in=customers).order_by("pk").values_list("pk"))
    return customers


def _drafts(
    organization: Organization,
    dues: Sequence[Due],
    customers: dict[UUID, Customer],
    terms_of: TermsOf,
    built: Built,
    at: datetime,
) -> list[Draft]:
    """What is to be built: what is final already is not."""
    invoices = Invoice.objects.filter(customer__in=customers, key__in=[due.key for due in dues])
    live = {(each.customer_id, each.key): each for each in invoices.exclude(state=State.VOID).select_for_update()}
    latest = invoices.values_list("customer", "key").annotate(Max("version"))
    versions = {(customer_id, key): version for customer_id, key, version in latest}
    terms = terms_of.of(list(customers.values()))
    hands = _by_hand([each for each in live.values() if each.state == State.DRAFT])
    drafts = []
    for due in dues:
        known = live.get((due.customer_id, due.key))
        if known is not None and known.state != State.DRAFT:
            built.final += 1
            continue
        of = terms[due.customer_id]
        invoice = known or Invoice(
            organization=organization,
            customer=of.customer,
            kind=Invoice.Kind.PERIOD,
            key=due.key,
            version=versions.get((due.customer_id, due.key), 0) + 1,
            period_start=due.period.since_at,
        )
        invoice.customer = of.customer
        invoice.period_end, invoice.currency, invoice.built_at = due.period.until_at, of.currency, at
        parts = parts_of(due, of.subscriptions)
        invoice.subscription = next((part.subscription for part in reversed(parts) if part.subscription), None)
        drafts.append(Draft(due, of, invoice, known is None, parts, hands.get(invoice.pk, [])))
    return drafts


def _by_hand(invoices: Collection[Invoice]) -> dict[UUID, list[InvoiceLine]]:
    found: dict[UUID, list[InvoiceLine]] = {}
    for line in InvoiceLine.objects.filter(invoice__in=invoices, is_by_hand=True).order_by("position"):
        found.setdefault(line.invoice_id, []).append(line)
    return found


def _set_rates(drafts: Sequence[Draft], terms_of: TermsOf) -> None:
    """The exchange rate of each: of the period's last day, so that it is the same whenever it is built."""
    problems = {}
    for each in drafts:
        try:
            last = each.due.period.until - timedelta(days=1)
            each.invoice.per_dollar = terms_of.per_dollar(each.invoice.currency, last)
        except Refused as refusal:
            problems[each.due.customer_id] = str(refusal)
    if problems:
        raise CannotBuild(problems)


def _clear(invoices: Sequence[Invoice]) -> None:
    InvoicedDay.objects.filter(invoice__in=invoices).delete()
    InvoiceTax.objects.filter(invoice__in=invoices).delete()
    InvoiceLine.objects.filter(invoice__in=invoices, is_by_hand=False).delete()


class Reader:
    """What has to be known of all of them, read at once."""

    def __init__(
        self,
        organization: Organization,
        terms_of: TermsOf,
        wanted: list[Wanted],
        whole: list[Wanted],
        first: First,
        at: datetime,
    ) -> None:
        self.organization, self.terms_of, self.at = organization, terms_of, at
        self.used = take_days(organization.pk, wanted)
        self.drawn = drawn_of(organization.pk, whole)
        self.billed = billed_before(whole)
        earlier = earlier_days(organization, whole, first)
        self.late = late_days(organization.pk, earlier)
        self.late_credit = late_credit(organization.pk, earlier)
        self.credit_notes = 0
        self._weights: dict[datetime, Weights] = {}

    def weights(self, until: datetime) -> Weights:
        """By the prices in force at the end of a period."""
        if until not in self._weights:
            self._weights[until] = weights_at(self.organization.pk, until - timedelta(microseconds=1))
        return self._weights[until]


def _compose(draft: Draft, reader: Reader) -> None:
    invoice, terms, due = draft.invoice, draft.terms, draft.due
    last = due.period.until - timedelta(days=1)
    rate_of = partial(reader.terms_of.per_dollar, on=last)
    begins = due.period.since_at  # whose day may have begun before, in another zone
    used = [replace(each, since=max(each.since, begins)) for each in reader.used.get(invoice.pk, [])]
    weights = reader.weights(due.period.until_at)
    wallet = terms.wallet
    is_prepaid = wallet is not None and wallet.settlement == wallet.Settlement.PREPAID
    late = Late(invoice, terms, reader.late.get(invoice.pk, []), reader.late_credit.get(invoice.pk, {}), reader.at)
    charged, late = charged_late(late, draft.parts)
    planned = period_lines(
        due,
        draft.parts,
        [*used, *charged],
        terms.subscriptions,
        currency=invoice.currency,
        rate_of=rate_of,
        weights=weights,
        coupons=terms.coupons,
        is_prepaid=is_prepaid,
        billed=reader.billed.get(invoice.pk, Billed()),
    )
    lines = [*planned.lines, *_credit(draft, planned, used, reader, is_prepaid=is_prepaid)]
    late_lines, notes = settle_late(late, weights)
    reader.credit_notes += notes
    lines = without_crumbs([*lines, *late_lines], invoice.currency)
    how: How = {
        "tax": reader.terms_of.tax(terms, last),
        "discounts": planned.discounts,
        "rounding": Rounding(terms.seller.tax_rounding),
    }
    if takes_fees_back(lines) and total_of(invoice, lines, draft.by_hand, **how) < 0:
        lines, notes = credit_fees(invoice, lines, at=reader.at)
        reader.credit_notes += notes
    if not is_nothing(lines, draft.by_hand):
        draft.composed = compose(invoice, lines, draft.by_hand, **how)


def _credit(draft: Draft, planned: Planned, used: Sequence[Used], reader: Reader, *, is_prepaid: bool) -> list[Drafted]:
    """What credit paid of the period's usage, at most what that comes to.

    Where all usage is prepaid, what came in since the wallet drew last is, too: it will be drawn.
    """
    drawn, wallet, rate = reader.drawn.get(draft.invoice.pk, Drawn()), draft.terms.wallet, draft.invoice.per_dollar
    usd = drawn.from_credit
    if is_prepaid and wallet is not None and wallet.draws_from <= draft.due.period.since_at:
        usd += sum((each.price for each in used), Decimal(0)) - drawn.amount
    comes_to = sum((line.precise for line in planned.lines if line.kind in USED), Decimal(0))
    usd = min(usd, max(comes_to, Decimal(0)) / rate)
    if usd <= 0:
        return []
    period = draft.due.period
    return [
        credit_line(
            usd.quantize(Decimal("1e-12")),
            rate,
            is_taxed=draft.terms.credit_is_taxed,
            since=period.since_at,
            until=period.until_at,
        )
    ]


def _store(drafts: Sequence[Draft], built: Built) -> None:
    kept = [each for each in drafts if each.composed is not None]
    built.made = [each.invoice for each in kept if each.is_new]
    built.built_again = [each.invoice for each in kept if not each.is_new]
    built.empty = len(drafts) - len(kept)
    _drop([each for each in drafts if each.composed is None])
    Invoice.objects.bulk_create(built.made)
    InvoiceTransition.objects.bulk_create(
        [InvoiceTransition(invoice=each, after=State.DRAFT, at=each.built_at) for each in built.made]
    )
    if built.built_again:
        Invoice.objects.bulk_update(built.built_again, AMOUNTS)
    composed = [each.composed for each in kept if each.composed]
    InvoiceLine.objects.bulk_create([line for each in composed for line in each.lines], ROWS_AT_ONCE)
    InvoiceTax.objects.bulk_create([tax for each in composed for tax in each.taxes], ROWS_AT_ONCE)
    if by_hand := [line for each in composed for line in each.by_hand]:
        InvoiceLine.objects.bulk_update(by_hand, ["amount", "tax_percent", "details"])


def _drop(empty: Sequence[Draft]) -> None:
    """Nothing is left to invoice: the days noted for it were worth nothing."""
    ids = [each.invoice.pk for each in empty]
    InvoicedDay.objects.filter(invoice_id__in=ids).delete()
    Invoice.objects.filter(pk__in=ids).delete()
