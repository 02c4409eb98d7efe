"""An analysis as the console and the portal both show it: a chart, a table, and the same as CSV."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import QueryDict, StreamingHttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization, User
from apps.analyses.forms import BY_LABELS, AnalysisForm
from apps.analyses.models import SavedAnalysis
from apps.analyses.services import analyses_of, save_analysis
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.kit.lines import Chart, Series, chart_of
from apps.kit.templatetags.display import compact_text, date_label, milliseconds, money, percent
from apps.usage.faces import SENT_LABEL
from apps.usage.queries import Figures, Group, Point, Scope, over_time, property_names, totals
from apps.usage.queries.grouped_series import By, grouped_over_time
from apps.usage.queries.groups import properties_used
from apps.usage.queries.measures import MEASURES, MONEY, rounded
from apps.usage.queries.periods import Interval
from apps.usage.queries.rankings import ranked
from apps.usage.ranges import PeriodChoice, Range, chosen_range
from apps.usage.record import SENT_KEY
from apps.usage.tables import csv_lines

ALL, NOBODY = _("All together"), _("no user named")
LINES = 6
MOST_GROUPS = 50  # in the table
MOST_EXPORTED = 1_000  # in the file
MOST_DAYS_OF_HOURS = 14
MILLISECONDS = frozenset(("average_latency_ms", "average_first_token_ms"))

Value = int | Decimal | float | None
Names = Callable[[Any], Any]  # what the value of a group is called


class Row(NamedTuple):
    """A group in the table. `share`: of the most, from 0 to 1, for the bar beside it."""

    label: Any
    shown: Any
    requests: int
    share: float
    number: int  # of its line in the chart; 0: it has none


class Saved(NamedTuple):
    """An analysis under its name."""

    analysis: SavedAnalysis
    query: str
    is_shown: bool


@dataclass(frozen=True)
class Analysis:
    """Everything that the page shows."""

    form: AnalysisForm
    chosen: Range
    interval: Interval
    periods: list[PeriodChoice]
    title: Any  # of the measure; empty: nothing is shown
    by: Any  # what the rows stand for
    chart: Chart
    axis: list[tuple[float, str]]
    rows: list[Row]
    total: Any
    has_more: bool
    query: str
    asked: dict[str, str]
    saved: list[Saved]


class Shown:
    """How a measure is written."""

    def __init__(self, measure: str) -> None:
        self.measure = measure

    def of(self, figures: Figures) -> Value:
        return MEASURES[self.measure](figures)

    def text(self, value: Value) -> str:
        if value is None:
            return "–"
        if self.measure in MONEY:
            return str(money(round(Decimal(value), 12)))
        if self.measure == "error_rate":
            return percent(float(value))
        if self.measure in MILLISECONDS:
            return milliseconds(float(value))
        return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"

    def axis(self, value: float) -> str:
        """Short, beside a line of the grid."""
        if self.measure == "error_rate":
            return f"{value * 100:g}%"
        if self.measure in MILLISECONDS:
            return milliseconds(value)
        text = compact_text(int(value)) if abs(value) >= 1000 else f"{value + 0:g}"  # zero has no sign
        return f"${text}".replace("$-", "-$") if self.measure in MONEY else text


def analysis(asked: QueryDict, organization: Organization, customer: Customer | None, *, at: datetime) -> Analysis:
    """What a query string asks for; nonsense in a field is said beside it, and nothing is shown.

    customer: whose portal it is; None: the operator's view.
    """
    form, chosen, scope = _chosen(asked, organization, customer, at)
    saved = _saved(organization, customer, form.asked(chosen) if form.is_valid() else {})
    if not form.is_valid():
        return Analysis(
            form, chosen, "day", chosen.choices(), "", "", chart_of([], []), [], [], "", False, "", {}, saved
        )
    shown, by, interval = Shown(form.cleaned_data["measure"]), form.grouping(), _interval(form, chosen)
    groups = _groups(scope, by, shown, MOST_GROUPS + 1)
    names = _names(organization, customer, by)
    lines = groups[:LINES]
    points = _points(scope, by, [group.value for group in lines], interval, chosen.zone)
    chart = chart_of(*_series(lines, points, names, shown, interval))
    form_asked = form.asked(chosen)
    return Analysis(
        form,
        chosen,
        interval,
        chosen.choices({name: value for name, value in form_asked.items() if name not in ("period", "since", "until")}),
        form.measures[shown.measure],
        form.cleaned_data["property"] if by and by.named else BY_LABELS[form.cleaned_data["by"]] if by else "",
        chart,
        [(height, shown.axis(value)) for height, value in chart.grid],
        _rows(groups[:MOST_GROUPS], names, shown),
        shown.text(shown.of(totals(scope))) if by is None or by.dimension else "",
        len(groups) > MOST_GROUPS,
        urlencode(form_asked),
        form_asked,
        saved,
    )


def analysis_csv(
    asked: QueryDict, organization: Organization, customer: Customer | None, *, at: datetime
) -> StreamingHttpResponse | None:
    """A line for each group and step, with the measure; None where what is asked makes no sense."""
    form, chosen, scope = _chosen(asked, organization, customer, at)
    if not form.is_valid():
        return None
    shown, by, interval = Shown(form.cleaned_data["measure"]), form.grouping(), _interval(form, chosen)
    groups = _groups(scope, by, shown, MOST_EXPORTED)
    names = _names(organization, customer, by)

    def lines() -> Iterator[Mapping[str, object]]:
        for start in range(0, len(groups), MOST_GROUPS):
            some = groups[start : start + MOST_GROUPS]
            points = _points(scope, by, [group.value for group in some], interval, chosen.zone)
            for group in some:
                for point in points[group.value]:
                    value = rounded(shown.measure, shown.of(point.figures))
                    yield {"group": _label(group, names), "start": point.start, shown.measure: value}

    response = StreamingHttpResponse(csv_lines(("group", "start", shown.measure), lines()), content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="{shown.measure}-{chosen.first}-{chosen.last}.csv"'
    return response


def _chosen(
    asked: QueryDict, organization: Organization, customer: Customer | None, at: datetime
) -> tuple[AnalysisForm, Range, Scope]:
    chosen = chosen_range(asked.dict(), at, ZoneInfo(organization.time_zone))
    everything = Scope(organization.pk, *chosen.period, customer_id=customer.pk if customer else None)
    properties = property_names(organization) if customer is None else properties_used(everything)
    form = AnalysisForm(asked, organization, customer, properties, chosen)
    return form, chosen, form.scope(organization, chosen) if form.is_valid() else everything


def _interval(form: AnalysisForm, chosen: Range) -> Interval:
    """As it was asked for, where that isn't too many steps."""
    wanted: Interval = form.cleaned_data["step"] or chosen.interval
    return "day" if wanted == "hour" and chosen.days > MOST_DAYS_OF_HOURS else wanted


def _groups(scope: Scope, by: By | None, shown: Shown, most: int) -> list[Group]:
    return ranked(scope, by, shown.measure, most=most) if by else [Group(None, totals(scope))]


def _points(
    scope: Scope, by: By | None, values: Sequence[UUID | str | None], interval: Interval, zone: ZoneInfo
) -> dict[Any, list[Point]]:
    if interval == "hour":  # told in UTC, hours are summed
        scope = replace(scope, since=scope.since.astimezone(UTC), until=scope.until.astimezone(UTC))
    if by is None:
        return {None: over_time(scope, interval, zone)}
    return grouped_over_time(scope, by, values, interval, zone)


def _series(
    groups: Sequence[Group], points: Mapping[Any, list[Point]], names: Names, shown: Shown, interval: Interval
) -> tuple[list[Series], list[str]]:
    """The lines of the chart, and what stands below their steps."""
    series = []
    for group in groups:
        label, values, titles = str(_label(group, names)), [], []
        for point in points[group.value]:
            value = shown.of(point.figures)
            values.append(None if value is None else float(value))
            titles.append(f"{label}, {date_label(point.start, interval)}: {shown.text(value)}")
        series.append(Series(label, values, titles))
    steps = next(iter(points.values()), [])
    return series, [date_label(point.start, interval) for point in steps]


def _rows(groups: Sequence[Group], names: Names, shown: Shown) -> list[Row]:
    values = [shown.of(group.figures) for group in groups]
    most = float(max((value for value in values if value is not None), default=0)) or 1.0
    return [
        Row(
            _label(group, names),
            shown.text(value),
            group.figures.requests,
            round(max(0.0, float(value or 0)) / most, 4),
            number if number <= LINES else 0,
        )
        for number, (group, value) in enumerate(zip(groups, values, strict=True), 1)
    ]


def _label(group: Group, names: Names) -> Any:
    return names(group.value)


def _names(organization: Organization, customer: Customer | None, by: By | None) -> Names:
    """What groups are called."""
    if by is None:
        return lambda value: ALL
    match by.dimension:
        case "customer":
            known = dict(organization.customers.values_list("pk", "name"))
        case "key":
            keys = ProxyKey.objects.filter(organization=organization)
            keys = keys if customer is None else keys.filter(customer=customer)
            known = dict(keys.values_list("pk", "name")) | {SENT_KEY: SENT_LABEL}
        case _:
            return lambda value: NOBODY if value is None else value
    return lambda value: known.get(value, value)


def _saved(organization: Organization, customer: Customer | None, shown: Mapping[str, str]) -> list[Saved]:
    return [
        Saved(each, urlencode(each.asked), each.asked == dict(shown)) for each in analyses_of(organization, customer)
    ]


def save_asked(
    told: QueryDict, organization: Organization, customer: Customer | None, *, by: User, at: datetime
) -> SavedAnalysis:
    """Under the name that the form has, what its page shows. Raises ValidationError."""
    asked = QueryDict(told.get("asked", ""))
    form, chosen, _scope = _chosen(asked, organization, customer, at)
    if not form.is_valid():
        raise ValidationError(gettext("What is asked makes no sense: it was not saved."))
    name = told.get("name", "").strip()
    return save_analysis(organization, customer, name=name, asked=form.asked(chosen), by=by)
