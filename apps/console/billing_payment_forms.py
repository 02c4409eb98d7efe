"""Forms of the operator's pages on payments."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Organization
from apps.billing.models import Invoice, Payment, PaymentProviderSettings
from apps.billing.money import currencies
from apps.customers.models import Customer

AMOUNT = {"min_value": 0, "max_digits": 20, "decimal_places": 4}


class TransferForm(forms.Form):
    """Money that came in by bank transfer, cheque or cash."""

    customer = forms.ModelChoiceField(label=_("Customer"), queryset=Customer.objects.none())
    invoice = forms.ModelChoiceField(
        label=_("For the invoice"),
        queryset=Invoice.objects.none(),
        required=False,
        empty_label=_("whatever is due, the oldest first"),
        help_text=_("What is more than is due pays the customer's other invoices, or stays its own."),
    )
    amount = forms.DecimalField(label=_("Amount"), **AMOUNT)
    currency = forms.CharField(label=_("Currency"), min_length=3, max_length=3)
    reference = forms.CharField(
        label=_("The bank's reference"),
        max_length=100,
        help_text=_("So that a transfer is recorded once, whoever does it."),
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["customer"].queryset = organization.customers.order_by("name")
        due = organization.invoices.filter(state=Invoice.State.OPEN).select_related("customer")
        invoice = self.fields["invoice"]
        invoice.queryset = due.order_by("customer__name", "due_on", "sequence")
        invoice.label_from_instance = lambda each: f"{each.number} · {each.customer}"

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).upper()
        if currency not in currencies():
            raise forms.ValidationError(_("There is no such currency."))
        return currency

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        invoice = cleaned.get("invoice")
        if invoice and cleaned.get("customer") != invoice.customer:
            self.add_error("invoice", _("This invoice is another customer's."))
        elif invoice and cleaned.get("currency") not in (None, invoice.currency):
            self.add_error("currency", _("The invoice is in %(currency)s.") % {"currency": invoice.currency})
        return cleaned


class ReceivedForm(forms.Form):
    """How much came in, of what was waited for."""

    amount = forms.DecimalField(label=_("Amount that came in"), **AMOUNT)


class RefundForm(forms.Form):
    """How much goes back, and why."""

    amount = forms.DecimalField(label=_("Amount"), **AMOUNT)
    reason = forms.CharField(label=_("Reason"), max_length=300)

    def __init__(self, *args: Any, payment: Payment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].label = _("Amount in %(currency)s") % {"currency": payment.currency}


class StripeForm(forms.Form):
    """An account at Stripe. Secrets are not shown again; left empty, they stay."""

    secret_key = forms.CharField(
        label=_("Secret key"),
        max_length=300,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    webhook_secret = forms.CharField(
        label=_("Signing secret of the webhook"),
        max_length=300,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    collects = forms.ChoiceField(label=_("Final invoices"), choices=PaymentProviderSettings.Collects.choices)
    is_on = forms.BooleanField(label=_("Take payments by Stripe"), required=False)

    def __init__(self, *args: Any, row: PaymentProviderSettings | None, **kwargs: Any) -> None:
        initial = {"collects": row.collects, "is_on": row.is_on} if row else {"is_on": True}
        super().__init__(*args, initial=initial, **kwargs)
        if row:
            stays = _("It is there: %(hint)s. Empty: it stays.")
            self.fields["secret_key"].help_text = stays % {"hint": row.key_hint}
            if row.webhook_hint:
                self.fields["webhook_secret"].help_text = stays % {"hint": row.webhook_hint}
