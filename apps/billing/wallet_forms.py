"""The forms of wallets and vouchers, for the console and the portal: they clean, the services do the rest."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.billing.burn import USUAL_PRIORITY
from apps.billing.models import Wallet
from apps.billing.services.lots import MOST
from apps.usage.queries.periods import midnight

CENTS = 2


class DollarField(forms.DecimalField):
    """An amount in USD; the least that can be typed is a cent, or where `places` says so less."""

    def __init__(self, *, least: str = "0.01", places: int = CENTS, **kwargs: Any) -> None:
        box = forms.NumberInput(attrs={"step": "any", "inputmode": "decimal", "autocomplete": "off"})
        super().__init__(
            min_value=Decimal(least), max_value=MOST, max_digits=24, decimal_places=places, widget=box, **kwargs
        )

    def prepare_value(self, value: Any) -> Any:
        """As somebody would type it: 25, where the database has 25.000000000000."""
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class KeyedForm(forms.Form):
    """With a key made when it is shown: sent twice, it is done once."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].initial = uuid4().hex


class LastDay(forms.DateInput):
    input_type = "date"


class GrantForm(KeyedForm):
    """Credit that is given away."""

    amount = DollarField(label=_("Amount, in USD"))
    note = forms.CharField(label=_("What for"), max_length=200, help_text=_("The customer reads this."))
    last_day = forms.DateField(
        label=_("Can be used until"),
        required=False,
        widget=LastDay(),
        help_text=_("The last day. Empty: for ever."),
    )
    priority = forms.IntegerField(
        label=_("Priority"),
        initial=USUAL_PRIORITY,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=_("0 is used first, 100 last. Of the same priority: what expires soonest, then what was given."),
    )

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone = zone

    def clean_last_day(self) -> datetime | None:
        """The instant after it."""
        return _after(self.cleaned_data["last_day"], self._zone)


class TakeForm(KeyedForm):
    """Credit that is taken away again."""

    amount = DollarField(label=_("Amount, in USD"), least="0.000000000001", places=12)
    reason = forms.CharField(label=_("Why"), max_length=200, help_text=_("In the audit log and on the ledger."))


class TopUpForm(forms.Form):
    """Money that came in."""

    amount = DollarField(label=_("Amount, in USD"))
    reference = forms.CharField(
        label=_("Reference"),
        max_length=120,
        help_text=_("The bank’s, or an order’s. The same again credits nothing more."),
    )


class WalletForm(forms.Form):
    """How usage is paid, as the operator sets it."""

    settlement = forms.ChoiceField(label=_("How usage is paid"), choices=Wallet.Settlement.choices)
    low_balance = DollarField(
        label=_("Warn below, in USD"), required=False, least="0", help_text=_("By e-mail, once. Empty: never.")
    )
    credit_line = DollarField(
        label=_("Credit line, in USD"),
        least="0",
        help_text=_("Prepaid calls go through until the balance is so far below zero."),
    )


class OpenForm(forms.Form):
    """How the usage of a customer that gets a wallet is paid."""

    settlement = forms.ChoiceField(
        label=_("How usage is paid"), choices=Wallet.Settlement.choices, widget=forms.RadioSelect
    )


class WarningForm(forms.Form):
    """From where on the customer wants to be warned."""

    low_balance = DollarField(
        label=_("Warn below, in USD"), required=False, least="0", help_text=_("By e-mail, once. Empty: never.")
    )


class AutoTopUpForm(forms.Form):
    """Credit that buys itself."""

    is_on = forms.BooleanField(label=_("Buy credit by itself"), required=False)
    threshold = DollarField(label=_("When the balance is at or below, in USD"), least="0")
    amount = DollarField(label=_("Buy, in USD"), least="1")
    monthly_limit = DollarField(label=_("At most a month, in USD"), required=False, help_text=_("Empty: no limit."))


class RedeemForm(forms.Form):
    """A voucher's code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "7K2MQ-X04TR-…"}),
    )


class VouchersForm(KeyedForm):
    """New vouchers."""

    amount = DollarField(label=_("Worth, in USD"))
    count = forms.IntegerField(
        label=_("How many codes"), initial=1, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    most_uses = forms.IntegerField(
        label=_("Customers that may use each"), initial=1, validators=[MinValueValidator(1), MaxValueValidator(10**6)]
    )
    last_day = forms.DateField(
        label=_("Can be redeemed until"),
        required=False,
        widget=LastDay(),
        help_text=_("The last day. Empty: for ever."),
    )
    credit_days = forms.IntegerField(
        label=_("Days until its credit expires"),
        required=False,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text=_("Counted from when it is redeemed. Empty: never."),
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False, help_text=_("For yourselves."))

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone = zone

    def clean_last_day(self) -> datetime | None:
        """The instant after it."""
        return _after(self.cleaned_data["last_day"], self._zone)


def _after(last_day: Any, zone: ZoneInfo) -> datetime | None:
    if last_day is None:
        return None
    if last_day < timezone.now().astimezone(zone).date():
        raise forms.ValidationError(_("This day is over."))
    return midnight(last_day + timedelta(days=1), zone)
