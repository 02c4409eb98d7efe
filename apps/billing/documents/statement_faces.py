"""Which account and days a statement is of, and the statement as page, PDF and JSON."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.billing.documents.faces import pdf_answer
from apps.billing.documents.pdf import as_pdf
from apps.billing.documents.plain import statement_plain
from apps.billing.documents.statements import statement_document
from apps.billing.queries.statements import Account, Statement, statement, usual_account
from apps.customers.models import Customer

EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)


class StatementForm(forms.Form):
    """Of which account, and the first and the last day, both included."""

    account = forms.ChoiceField(
        label=_("Statement of"),
        choices=((Account.INVOICES, _("Invoices and payments")), (Account.CREDIT, _("Prepaid credit"))),
    )

    since = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("To"), widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and not EARLIEST <= since <= until <= LATEST:
            self.add_error("until", _("That is before the first day, or too far away."))
        return cleaned


def chosen(request: HttpRequest, customer: Customer) -> StatementForm:
    """As the address has it; otherwise the last three months up to today, in the zone at hand, of what tells most."""
    today = timezone.localdate()
    first = (today.replace(day=1) - timedelta(days=62)).replace(day=1)
    usual = {"account": usual_account(customer), "since": first.isoformat(), "until": today.isoformat()}
    form = StatementForm(usual | {name: request.GET[name] for name in usual if request.GET.get(name)})
    if not hasattr(customer, "wallet"):
        form.fields["account"].widget = forms.HiddenInput()  # there is nothing to choose
    return form


def statement_context(request: HttpRequest, customer: Customer, url_of: Callable[[str], str]) -> dict[str, Any]:
    """For a page: the form, and the document unless its days make no sense. url_of: by the name of its kind of file."""
    form = chosen(request, customer)
    if not form.is_valid():
        return {"form": form}
    query = urlencode(form.cleaned_data)
    files = [(name.upper(), f"{url_of(name)}?{query}") for name in ("pdf", "json")]
    return {"form": form, "document": statement_document(_statement(customer, form)), "files": files}


def statement_pdf(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The same as a file; of days that make no sense there is none."""
    form = chosen(request, customer)
    if not form.is_valid():
        return _refused(form)
    found = _statement(customer, form)
    return pdf_answer(as_pdf(statement_document(found)), statement_name(found))


def statement_json(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The same for machines, with all places that amounts have."""
    form = chosen(request, customer)
    if not form.is_valid():
        return _refused(form)
    return JsonResponse(statement_plain(_statement(customer, form)), json_dumps_params={"indent": 2})


def statement_name(found: Statement) -> str:
    """What its file is called."""
    name = "credit-statement" if found.account is Account.CREDIT else "statement"
    return f"{name}-{found.customer.slug}-{found.since}-{found.until}"


def _statement(customer: Customer, form: StatementForm) -> Statement:
    days = form.cleaned_data
    return statement(customer, days["since"], days["until"], Account(days["account"]))


def _refused(form: StatementForm) -> HttpResponse:
    return HttpResponse(form.errors.as_text(), status=400, content_type="text/plain")
