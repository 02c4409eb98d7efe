"""Forms of the portal's pages on payments."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.billing.models import PaymentMethod
from apps.customers.models import Customer

LEAST, MOST = Decimal(1), Decimal(100_000)
PAGE, TRANSFER = "page", "transfer"


class TopUpForm(forms.Form):
    """How much credit."""

    credit = forms.DecimalField(
        label=_("Credit in US dollars"), min_value=LEAST, max_value=MOST, max_digits=12, decimal_places=2
    )


class PayForm(forms.Form):
    """How it is paid: by a stored method, on the provider's page, or by bank transfer."""

    way = forms.CharField(max_length=40)

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._customer = customer
        self.method: PaymentMethod | None = None

    def clean_way(self) -> str:
        way = str(self.cleaned_data["way"])
        if way not in (PAGE, TRANSFER):
            live = {str(method.pk): method for method in self._customer.payment_methods.live()}
            if way not in live:
                raise forms.ValidationError(_("Choose how to pay."))
            self.method = live[way]
        return way

    @property
    def is_transfer(self) -> bool:
        return self.cleaned_data.get("way") == TRANSFER
