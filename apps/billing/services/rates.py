"""Tax rates and exchange rates: rows from a day on, that later rows take the place of."""

from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.billing.errors import NotPossible
from apps.billing.models import ExchangeRate, TaxRate
from apps.billing.models.parties import USD
from apps.billing.money import UnknownCurrency, minor_units
from apps.billing.queries.taxes import rates_in_force
from apps.kit.locks import lock_name


@transaction.atomic
def add_tax_rate(
    organization: Organization,
    *,
    name: str,
    country: str,
    percent: Decimal,
    effective_from: date,
    by: User | None,
    is_inclusive: bool = False,
) -> TaxRate:
    """A tax from a day on; of the same name and country it takes the place of an earlier one.

    Invoices that are final are not touched. Raises ValidationError; NotPossible: contained in prices beside one
    that is added to them.
    """
    lock_name(f"tax rates {organization.pk}")
    rate = TaxRate(
        organization=organization,
        name=name.strip(),
        country=country,
        percent=percent,
        is_inclusive=is_inclusive,
        effective_from=effective_from,
    )
    rate.full_clean()
    beside = [each for each in rates_in_force(organization, effective_from) if country and each.country == country]
    if any(each.is_inclusive != is_inclusive for each in beside if each.name != rate.name):
        raise NotPossible(
            _("The taxes of a country are either all contained in prices or all added: this would be the odd one.")
        )
    rate.save(force_insert=True)
    changes = audit.difference({}, audit.fields_of(rate, ("country", "percent", "is_inclusive", "effective_from")))
    audit.record(organization, "tax_rate.add", rate, actor=by, changes=changes)
    return rate


@transaction.atomic
def retire_tax_rate(rate: TaxRate, *, by: User | None, at: datetime) -> TaxRate:
    """Charge it no more from today on. One that is retired stays as it is."""
    rate = TaxRate.objects.select_for_update(of=("self",)).select_related("organization").get(pk=rate.pk)
    if rate.retired_at is None:
        rate.retired_at = at
        rate.save(update_fields=["retired_at"])
        audit.record(rate.organization, "tax_rate.retire", rate, actor=by, changes={"retired_at": (None, at)})
    return rate


@transaction.atomic
def set_exchange_rate(
    organization: Organization, *, currency: str, per_dollar: Decimal, effective_from: date, by: User | None
) -> ExchangeRate:
    """What a US dollar is worth from a day on. Set again for the same day, it is put right.

    Invoices keep the rate that is on them. Raises ValidationError, NotPossible.
    """
    if currency == USD or not _is_currency(currency):
        raise NotPossible(_("%s is not a currency that a dollar can be changed into.") % currency)
    lock_name(f"exchange rates {organization.pk}")
    rates = ExchangeRate.objects.filter(organization=organization, currency=currency, effective_from=effective_from)
    rate = rates.first() or ExchangeRate(
        organization=organization, currency=currency, effective_from=effective_from, source="by hand"
    )
    before, rate.per_dollar = rate.per_dollar, per_dollar
    rate.full_clean()
    if before != per_dollar:
        rate.save()
        changes: audit.Changes = {"per_dollar": (before, per_dollar), "effective_from": (None, effective_from)}
        audit.record(organization, "exchange_rate.set", rate, actor=by, changes=changes)
    return rate


@transaction.atomic
def remove_exchange_rate(rate: ExchangeRate, *, by: User | None) -> None:
    """Forget it: the one before holds on. Invoices keep the rate that is on them."""
    organization = rate.organization
    audit.record(organization, "exchange_rate.remove", rate, actor=by, changes={"per_dollar": (rate.per_dollar, None)})
    rate.delete()


def _is_currency(code: str) -> bool:
    try:
        minor_units(code)
    except UnknownCurrency:
        return False
    return True
