"""Which days a statement is of."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.billing.documents.faces import pdf_answer
from apps.billing.documents.pdf import as_pdf
from apps.billing.documents.statements import statement_document
from apps.billing.queries.statements import Statement, statement
from apps.customers.models import Customer

EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)


class DaysForm(forms.Form):
    """The first and the last day, both included."""

    since = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("To"), widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and not EARLIEST <= since <= until <= LATEST:
            self.add_error("until", _("That is before the first day, or too far away."))
        return cleaned


def chosen_days(request: HttpRequest) -> DaysForm:
    """As the address has them; otherwise the last three months up to today, in the zone at hand."""
    today = timezone.localdate()
    first = (today.replace(day=1) - timedelta(days=62)).replace(day=1)
    usual = {"since": first.isoformat(), "until": today.isoformat()}
    return DaysForm(usual | {name: request.GET[name] for name in usual if request.GET.get(name)})


def chosen_statement(request: HttpRequest, customer: Customer) -> tuple[DaysForm, Statement | None]:
    """The statement of the chosen days; None where they make no sense, which the form tells."""
    form = chosen_days(request)
    if not form.is_valid():
        return form, None
    return form, statement(customer, form.cleaned_data["since"], form.cleaned_data["until"])


def statement_pdf(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The same as a file; of days that make no sense there is none."""
    form, found = chosen_statement(request, customer)
    if found is None:
        return HttpResponse(form.errors.as_text(), status=400, content_type="text/plain")
    name = f"statement-{customer.slug}-{found.since}-{found.until}"
    return pdf_answer(as_pdf(statement_document(found)), name)
