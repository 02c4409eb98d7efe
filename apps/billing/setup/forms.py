"""Forms of what is set about billing: of the seller, its rates, and of how a customer is billed."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.billing.countries import countries
from apps.billing.documents.words import LANGUAGES
from apps.billing.models import BillingDetails, Seller, TaxRate
from apps.billing.models.parties import USD
from apps.billing.money import currencies
from apps.billing.services import details as details_services
from apps.billing.services import sellers
from apps.billing.tax_ids import NotATaxId, checked_tax_id

MOST_REMINDERS = 8
MOST_DAYS = 365
LINES = forms.Textarea(attrs={"rows": 4})


def _countries(empty: Any) -> list[tuple[str, Any]]:
    return [("", empty), *countries().items()]


def _currencies(empty: Any = None) -> list[tuple[str, Any]]:
    codes = [(code, code) for code in currencies()]
    return [("", empty), *codes] if empty else codes


class AddressForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes one in the stubs only
    """Who somebody is before the law; a tax id is checked by the rules of the country beside it."""

    country = forms.ChoiceField(label=_("Country"), required=False, choices=lambda: _countries(_("none")))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            cleaned["tax_id"] = checked_tax_id(cleaned.get("tax_id", ""), cleaned.get("country", ""))
        except NotATaxId as wrong:
            self.add_error("tax_id", str(wrong))
        return cleaned


class SellerForm(AddressForm):
    """The operator as its invoices name it, and how they look."""

    currency = forms.ChoiceField(label=_("Currency"), choices=_currencies)

    class Meta:
        model = Seller
        fields = sellers.IDENTITY
        labels = {"email": _("Billing e-mail"), "payment_terms": _("How to pay"), "accent": _("Colour")}
        help_texts = {
            "tax_id": _("Such as a VAT id; its digits are checked."),
            "email": _("On documents, and where answers to e-mails go."),
            "payment_terms": _("Bank account, payment link: on each invoice."),
            "footer": _("At the foot of each page."),
        }
        widgets = {
            "address": LINES,
            "payment_terms": LINES,
            "footer": forms.Textarea(attrs={"rows": 2}),
            "accent": forms.TextInput(attrs={"type": "color"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].help_text = _("Of customers that have none of their own. Usage is priced in %s.") % USD


class DaysField(forms.CharField):
    """Days with commas between: each once, in order."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[int]:
        said = [part.strip() for part in super().clean(value).split(",") if part.strip()]
        if not all(part.isdecimal() and len(part) <= 3 and 0 < int(part) <= MOST_DAYS for part in said):
            raise forms.ValidationError(_("Days from 1 to 365, with commas between."))
        if len(days := sorted({int(part) for part in said})) > MOST_REMINDERS:
            raise forms.ValidationError(_("At most 8 reminders."))
        return days


class TermsForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes one in the stubs only
    """When invoices are final, sent, due and reminded of."""

    reminder_days = DaysField(
        label=_("Reminders, days after it was due"),
        required=False,
        help_text=_("With commas between: 3, 10, 20. Empty: none. Each goes out once."),
    )

    class Meta:
        model = Seller
        fields = (*sellers.TERMS, *sellers.TAXING, *sellers.DUNNING)
        labels = {
            "tax_rounding": _("Tax is rounded"),
            "taxed_when": _("Prepaid credit is taxed"),
            "final_step": _("What is done at last"),
        }
        help_texts = {
            "grace_days": _("So long after its period a draft waits for late usage."),
            "invoice_prefix": _("Numbers count on without a gap, whatever is before them."),
            "final_step_days": _("After it was due. Paid, the customer is let in again at once."),
        }


class LogoForm(forms.Form):
    """A picture."""

    logo = forms.FileField(label=_("Logo"), help_text=_("PNG or JPEG, at most 256 KB."))

    def clean_logo(self) -> bytes:
        upload = self.cleaned_data["logo"]
        if upload.size > sellers.MOST_LOGO_BYTES:
            raise forms.ValidationError(_("The logo is larger than 256 KB."))
        return bytes(upload.read())


class TaxRateForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes one in the stubs only
    """A tax from a day on."""

    country = forms.ChoiceField(
        label=_("Customers in"), required=False, choices=lambda: _countries(_("none: given by hand"))
    )

    class Meta:
        model = TaxRate
        fields = ("name", "country", "percent", "is_inclusive", "effective_from")
        widgets = {"effective_from": forms.DateInput(attrs={"type": "date"})}


class ExchangeDayForm(forms.Form):
    """A currency, and a day from which a rate of it holds."""

    currency = forms.ChoiceField(label=_("Currency"))
    effective_from = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "exchange_%s"} | kwargs)  # the form of a tax is on the same page
        choices = [(code, code) for code in currencies() if code != USD]
        self.fields["currency"].choices = choices  # type: ignore[attr-defined]


class ExchangeRateForm(ExchangeDayForm):
    """What a dollar is worth from that day on."""

    per_dollar = forms.DecimalField(
        label=_("For one US dollar"), max_digits=24, decimal_places=12, min_value=Decimal("0.000000000001")
    )


class OwnDetailsForm(AddressForm):
    """How a customer is billed, as its own people change it."""

    language = forms.ChoiceField(label=_("Language of documents"), choices=list(LANGUAGES.items()))

    class Meta:
        model = BillingDetails
        fields = details_services.OWN
        labels = {"email": _("Invoices go to")}
        help_texts = {
            "tax_id": _("Such as a VAT id; its digits are checked."),
            "email": _("Empty: the address of the account."),
            "purchase_order": _("Is printed on each invoice."),
        }
        widgets = {"address": LINES}


class DetailsForm(OwnDetailsForm):
    """With what only the operator changes."""

    currency = forms.ChoiceField(label=_("Currency"), required=False)

    class Meta(OwnDetailsForm.Meta):
        fields = details_services.FIELDS  # type: ignore[assignment]
        labels = {
            **OwnDetailsForm.Meta.labels,
            "tax_status": _("Tax"),
            "tax_rate": _("Tax rate"),
            "net_days": _("Days to pay"),
        }
        help_texts = {
            **OwnDetailsForm.Meta.help_texts,
            "net_days": _("Empty: as in your settings."),
            "is_reminded": _("Off: it is never reminded, nor suspended for what is overdue."),
        }

    def __init__(self, *args: Any, seller: Seller, is_currency_fixed: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        empty = _("as in your settings: %s") % seller.currency
        self.fields["currency"].choices = _currencies(empty)  # type: ignore[attr-defined]
        if is_currency_fixed:
            self.fields["currency"].disabled = True
            self.fields["currency"].help_text = _("Fixed: there is an invoice in it.")
        rates = seller.organization.tax_rates.filter(retired_at=None).order_by("name", "-effective_from")
        given = self.instance.tax_rate_id
        self.fields["tax_rate"].queryset = (  # type: ignore[attr-defined]
            rates | seller.organization.tax_rates.filter(pk=given) if given else rates
        )
        self.fields["tax_rate"].empty_label = _("by its country")  # type: ignore[attr-defined]
