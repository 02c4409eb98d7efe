"""Vouchers: codes that are worth credit. A new code is in the answer to its form, and nowhere else."""

from uuid import UUID

from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.billing.services.vouchers import make_vouchers, revoke_voucher
from apps.billing.wallet_forms import VouchersForm

PAGE = 50
A_DAY_S = 86_400


@sensitive_variables("codes")
@operator_page(Role.BILLING)
def vouchers(request: OperatorRequest) -> HttpResponse:
    """All vouchers, a form for new ones."""
    form = VouchersForm(request.POST or None, zone=request.zone)
    if request.method == "POST" and form.is_valid():
        fields = dict(form.cleaned_data)
        sent = f"vouchers:{request.organization.pk}:{fields.pop('key')}"
        if not cache.add(sent, 1, A_DAY_S):  # a double click
            messages.info(request, _("These vouchers were made already. Their codes are not shown again."))
            return redirect("console:vouchers")
        fields["expires_at"] = fields.pop("last_day")
        try:
            made = make_vouchers(request.organization, by=request.user, at=timezone.now(), **fields)
        except ValidationError as error:
            cache.delete(sent)
            form.add_error(None, error.messages)  # type: ignore[arg-type]
        else:
            codes = [code for _voucher, code in made]
            return _page(request, VouchersForm(zone=request.zone), codes)
    return _page(request, form)


@require_POST
@operator_page(Role.BILLING)
def voucher_revoke(request: OperatorRequest, voucher_id: UUID) -> HttpResponse:
    """Let nobody use it any more."""
    voucher = get_object_or_404(request.organization.vouchers, pk=voucher_id)
    revoke_voucher(voucher, by=request.user, at=timezone.now())
    messages.warning(request, _("The voucher %(voucher)s can’t be used any more.") % {"voucher": voucher})
    return redirect("console:vouchers")


def _page(request: OperatorRequest, form: VouchersForm, codes: list[str] | None = None) -> HttpResponse:
    found = request.organization.vouchers.order_by("-created_at", "-pk")
    context = {
        "section": "billing",
        "tab": "vouchers",
        "form": form,
        "codes": codes,
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "now": timezone.now(),
    }
    return render(request, "console/billing/vouchers.html", context)
