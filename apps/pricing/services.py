"""What changes the price book, beside the list prices that `sync` brings."""

from collections.abc import Mapping
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.pricing.models import ModelPrice
from apps.pricing.rating import rates_of


@transaction.atomic
def set_price(
    organization: Organization,
    *,
    provider: str,
    model: str,
    rates: Mapping[str, str],
    effective_from: datetime,
    by: User | None,
    max_output_tokens: int | None = None,
) -> ModelPrice:
    """What the provider charges this organization for a model, from an instant on, in place of the list price.

    rates: USD a million tokens by kind (rating.KINDS), and "request": USD a call. Requests that were
    rated before keep their cost. Raises ValidationError.
    """
    try:
        rates_of(rates)
        with transaction.atomic():
            price = ModelPrice.objects.create(
                organization=organization,
                provider=provider,
                model=model,
                match={"equals": model.lower()},
                rates=dict(rates),
                max_output_tokens=max_output_tokens,
                effective_from=effective_from,
                source="operator",
            )
    except (ValueError, ArithmeticError) as error:
        raise ValidationError({"rates": str(error)}) from error
    except IntegrityError as error:
        raise ValidationError("There is a price of this model from that very instant already.") from error
    audit.record(
        organization, "price.set", price, actor=by, changes={name: (None, rate) for name, rate in rates.items()}
    )
    return price
