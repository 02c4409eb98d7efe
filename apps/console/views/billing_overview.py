"""Billing at a glance: what was sold and what it cost, what recurs, who owes, who moves."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.invoicing.runs import billing_run
from apps.billing.models import Invoice
from apps.billing.queries.invoices import states_of
from apps.billing.queries.overview import monthly_recurring, months_of, movers, receivables
from apps.kit.templatetags.display import Bar, money

HERE = {"section": "billing", "tab": "overview"}


@operator_page(Role.VIEWER)
def billing(request: OperatorRequest) -> HttpResponse:
    """Of this month and the eleven before."""
    organization, now = request.organization, timezone.now()
    months = months_of(organization, at=now)
    states = states_of(organization)
    bars = [
        Bar(f"{each.first:%b %Y}", float(each.revenue), f"{each.first:%b %Y}: {money(each.revenue)}") for each in months
    ]
    context = HERE | {
        "months": [each for each in reversed(months) if each.revenue or each.cost],
        "month": months[-1],
        "before": months[-2],
        "bars": bars,
        "recurring": monthly_recurring(organization, at=now),
        "receivables": receivables(organization, on=timezone.localdate()),
        "movers": movers(organization, at=now),
        "drafts": states.get(Invoice.State.DRAFT, 0),
        "open": states.get(Invoice.State.OPEN, 0),
        "has_used": any(each.revenue for each in months) or any(states.values()),
        "may_change": request.member.may(Role.BILLING),
    }
    return render(request, "console/billing/overview.html", context)


@require_POST
@operator_page(Role.BILLING)
def billing_run_now(request: OperatorRequest) -> HttpResponse:
    """What beat does every hour: the drafts of all that is over."""
    run = billing_run(request.organization, at=timezone.now())
    count = run.made + run.built_again
    drafts = ngettext("%(count)s draft is up to date.", "%(count)s drafts are up to date.", count)
    messages.success(request, drafts % {"count": count})
    for each in run.refused[:5]:
        messages.error(request, _("No invoice for %(customer)s: %(reason)s") % each)
    return redirect("console:invoices")
