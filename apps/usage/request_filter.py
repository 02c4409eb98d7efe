"""The form that requests are searched by. What it says is in the address, so that a search can be passed on."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import RegexValidator
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.customers.fields import CustomerField
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.usage.faces import DEFAULT_PERIOD, LABELS
from apps.usage.models import Result
from apps.usage.queries import Period, named_period
from apps.usage.queries.explorer import Search

ALL_TIME, CUSTOM = "all", "custom"
PERIODS = [*LABELS.items(), (ALL_TIME, _("All time")), (CUSTOM, _("From … to …"))]
RESULTS = {result.name.lower(): result for result in Result}
MAIN = ("period", "customer", "result", "model", "user")  # always there; the others unfold
STATUS = RegexValidator(r"^[0-9](?:[0-9]{2}|xx)$", _("A status such as 429, or a class such as 5xx."))
MOST_PROPERTIES = 5


class Moment(forms.DateTimeInput):
    """A box for a day and a time of it."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


def _text(label: Any, example: str = "") -> forms.CharField:
    # As it was recorded, blanks and all: what is asked for is compared with it.
    return forms.CharField(
        label=label, required=False, max_length=512, widget=forms.TextInput(attrs={"placeholder": example})
    )


def _amount(label: Any) -> forms.DecimalField:
    box = forms.NumberInput(attrs={"step": "any", "min": "0", "placeholder": "0.05"})
    return forms.DecimalField(
        label=label, required=False, min_value=0, max_digits=24, decimal_places=12, localize=False, widget=box
    )


class ActiveFilter(NamedTuple):
    """Something that narrows, and the query string without it."""

    label: Any
    value: Any
    without: str


class RequestFilter(forms.Form):
    """Which requests. Times are of the organization's zone."""

    period = forms.ChoiceField(label=_("Time"), required=False, choices=PERIODS)
    customer = CustomerField()
    result = forms.ChoiceField(
        label=_("Result"),
        required=False,
        choices=[("", _("all")), *((name, result.label) for name, result in RESULTS.items())],
    )
    model = _text(_("Model"), "gpt-4o*")
    user = _text(_("User"))
    since = forms.DateTimeField(label=_("From"), required=False, widget=Moment())
    until = forms.DateTimeField(label=_("To"), required=False, widget=Moment())
    sold_as = _text(_("Sold as"))  # as invoices name it; in the portal the model is that
    id = _text(_("Request id"))
    endpoint = _text(_("Operation"), "embeddings")
    session = _text(_("Session"))
    properties = _text(_("Properties"), "Plan=premium; Feature")
    key = forms.ModelChoiceField(ProxyKey.objects.none(), label=_("Key"), required=False, empty_label=_("all"))
    status = forms.CharField(
        label=_("HTTP status"),
        required=False,
        validators=[STATUS],
        widget=forms.TextInput(attrs={"placeholder": "5xx"}),
    )
    error = _text(_("Error"))
    latency = forms.IntegerField(
        label=_("Latency above, ms"), required=False, min_value=0, max_value=2**31 - 1, localize=False
    )
    price_above = _amount(_("Price above, USD"))
    price_below = _amount(_("Price below, USD"))
    cost_above = _amount(_("Cost above, USD"))
    cost_below = _amount(_("Cost below, USD"))
    no_user = forms.BooleanField(label=_("Without a user"), required=False)

    def __init__(self, asked: QueryDict, organization: Organization, customer: Customer | None, at: datetime) -> None:
        """customer: the only one, in its portal, who is not asked about costs; None: all of the organization's."""
        self.zone, self._at = ZoneInfo(organization.time_zone), at
        self._organization, self._only = organization, customer
        given = {name: value.replace("\0", "") for name, value in asked.items() if value and name in self.base_fields}
        if given.get("since") or given.get("until"):
            given.setdefault("period", CUSTOM)
        super().__init__({"period": DEFAULT_PERIOD} | given, auto_id="filter_%s")
        if customer is None:
            self.fields["customer"].queryset = organization.customers.order_by("name")  # type: ignore[attr-defined]
        else:
            for name in ("customer", "cost_above", "cost_below", "sold_as"):
                del self.fields[name]
        self.fields["key"].queryset = self._keys()  # type: ignore[attr-defined]
        if customer is None and not given.get("customer"):
            self.fields["key"].help_text = _("Of the customer that is chosen.")

    def _keys(self) -> Any:
        keys = ProxyKey.objects.filter(organization=self._organization).order_by("name")
        chosen = self._only.pk if self._only else _uuid(self.data.get("customer"))
        if chosen:
            return keys.filter(customer=chosen)
        return keys.filter(pk=_uuid(self.data.get("key")))

    def clean_properties(self) -> dict[str, str | None]:
        """By lower-case name; None where no value is told: any."""
        wanted: dict[str, str | None] = {}
        for each in self.cleaned_data["properties"].split(";"):
            name, is_told, value = each.partition("=")
            if name := name.strip().lower():
                wanted[name] = value.strip() if is_told else None
        if len(wanted) > MOST_PROPERTIES:
            raise forms.ValidationError(_("At most %(most)s at once.") % {"most": MOST_PROPERTIES})
        return wanted

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if cleaned.get("period") == CUSTOM and since and until and since >= until:
            self.add_error("until", _("That is not after the beginning."))
        return cleaned

    def search(self) -> Search:
        """What is asked for, once the form is valid."""
        asked = self.cleaned_data
        since, until = (None, None) if asked["id"] else self._period()  # an id is looked for whenever it was
        chosen = self._only or asked["customer"]
        key = asked["key"]
        return Search(
            organization_id=self._organization.pk,
            customer_id=chosen.pk if chosen else None,
            since=since,
            until=until,
            result=RESULTS.get(asked["result"]),
            statuses=_statuses(asked["status"]),
            model=asked["model"],
            is_sold_as=self._only is not None,
            sold_as=asked.get("sold_as", ""),
            endpoint=asked["endpoint"],
            end_user=asked["user"] or None,
            has_no_user=asked["no_user"],
            proxy_key_id=key.pk if key else None,
            properties=asked["properties"],
            session_id=asked["session"],
            price_above=asked["price_above"],
            price_below=asked["price_below"],
            cost_above=asked.get("cost_above"),
            cost_below=asked.get("cost_below"),
            latency_above_ms=asked["latency"],
            error=asked["error"],
            request_id=asked["id"],
        )

    def _period(self) -> Period | tuple[datetime | None, datetime | None]:
        name = self.cleaned_data["period"]
        if name == CUSTOM:
            return self.cleaned_data["since"], self.cleaned_data["until"]
        return (None, None) if name == ALL_TIME else named_period(name or DEFAULT_PERIOD, self._at, self.zone)

    def query(self, **changes: str) -> str:
        """The query string that asks the same again, but for `changes`; "" takes one out."""
        asked = {name: str(self.data.get(name, "")) for name in self.fields} | changes
        usual = {"period": DEFAULT_PERIOD}
        return urlencode({name: value for name, value in asked.items() if value and value != usual.get(name)})

    @property
    def main_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in MAIN if name in self.fields]

    @property
    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in MAIN and name != "no_user"]

    @property
    def is_unfolded(self) -> bool:
        """Whether one of those that fold away is in use, or wrong."""
        return any(self.data.get(field.name) or field.errors for field in [*self.more_fields, self["no_user"]])

    @property
    def active(self) -> list[ActiveFilter]:
        """All that narrows, but the time."""
        return list(self._active())

    def _active(self) -> Iterator[ActiveFilter]:
        for name in self.fields:
            if name in ("period", "since", "until") or not self.data.get(name):
                continue
            cleaned = self.cleaned_data.get(name) if self.is_bound and self.is_valid() else None
            value = self.data[name]
            if name in ("customer", "key", "result"):
                value = Result.labels[RESULTS[value]] if name == "result" and value in RESULTS else cleaned or value
            yield ActiveFilter(self.fields[name].label, "" if name == "no_user" else value, self.query(**{name: ""}))


def _statuses(status: str) -> tuple[int, int] | None:
    if not status:
        return None
    return int(status.replace("xx", "00")), int(status.replace("xx", "99"))


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
