"""Forms about invoices, for their pages."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.billing.models import CreditNote, Invoice, InvoiceLine
from apps.billing.money import minor_units, round_half_away
from apps.billing.services.invoices import LineByHand


class LineForm(forms.Form):
    """A line by hand, in the invoice's currency."""

    description = forms.CharField(label=_("Description"), max_length=300)
    amount = forms.DecimalField(
        label=_("Amount"),
        max_digits=14,
        decimal_places=4,
        help_text=_("Without tax where that is added. Below zero takes off."),
    )

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        self.fields["amount"].label = _("Amount in %(currency)s") % {"currency": currency}

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if not amount:
            raise ValidationError(_("An amount other than zero."))
        if round_half_away(amount, self.currency) != amount:
            raise ValidationError(
                _("%(currency)s has %(places)s decimal places.")
                % {"currency": self.currency, "places": minor_units(self.currency)}
            )
        return amount

    @property
    def line(self) -> LineByHand:
        return LineByHand(self.cleaned_data["description"], self.cleaned_data["amount"])


class OneOffForm(LineForm):
    """An invoice of one line; more are added to its draft.

    Its key is made when it is shown: a double click adds one.
    """

    memo = forms.CharField(label=_("Note on the invoice"), max_length=500, required=False)
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    field_order = ("description", "amount", "memo", "key")


class ReasonForm(forms.Form):
    """Why; it is shown with the invoice and in the audit log."""

    reason = forms.CharField(label=_("Reason"), max_length=300)


class CreditForm(forms.Form):
    """What is taken back of an invoice: so much of each line, or all that is left."""

    settlement = forms.ChoiceField(label=_("How"), choices=CreditNote.Settlement.choices)
    reason = forms.CharField(label=_("Reason"), max_length=300)
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def __init__(
        self, *args: Any, invoice: Invoice, left: Iterable[tuple[InvoiceLine, Decimal]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lines = [(line, amount) for line, amount in left if amount > 0]
        places = minor_units(invoice.currency)
        for line, amount in self.lines:
            self.fields[f"line_{line.pk.hex}"] = forms.DecimalField(
                label=line.description,
                required=False,
                min_value=Decimal(0),
                max_value=amount,
                decimal_places=places,
                help_text=_("of %(amount)s, without tax") % {"amount": f"{amount:.{places}f}"},
            )

    @property
    def amounts(self) -> dict[UUID, Decimal] | None:
        """By line; None: all that is left, since none was named."""
        named = {line.pk: self.cleaned_data.get(f"line_{line.pk.hex}") for line, _amount in self.lines}
        given = {pk: amount for pk, amount in named.items() if amount}
        return given or None
