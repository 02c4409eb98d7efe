"""Model fields shared by every room."""

from decimal import Decimal
from typing import Any

from django.db import models

AMOUNT_PLACES = 12
AMOUNT_STEP = Decimal(1).scaleb(-AMOUNT_PLACES)


class AmountField(models.DecimalField):
    """Money at the precision of one token: Decimal(24, 12). Its currency is the field beside it, else USD."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"] = 24
        kwargs["decimal_places"] = AMOUNT_PLACES
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"]
        del kwargs["decimal_places"]
        return name, path, args, kwargs
