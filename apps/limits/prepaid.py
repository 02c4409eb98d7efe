"""The cap of customers who pay beforehand: what they paid for. Knows no Django.

Limits stand below billing, which has the wallets: it says here, once, whom to ask (see its apps.py). To the limiter
the cap is one on all that a customer ever spends, on the same counter as `total_cap`, of which the lower one holds.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID


class Prepaid(NamedTuple):
    """Of a customer.

    cap: USD that it may have spent in all its time: what was used so far, and the credit that is left.
    since: when its credit began to be its cap. Counters that were kept before are not believed.
    behind: what of `cap` is past, and on no page any more: credit that is used up.
    """

    cap: Decimal
    since: datetime
    behind: Decimal = Decimal(0)


Source = Callable[[Collection[UUID]], Mapping[UUID, Prepaid]]


def _nobody(customers: Collection[UUID]) -> Mapping[UUID, Prepaid]:
    return {}


_source: Source = _nobody


def set_source(source: Source) -> None:
    """Ask `source` from now on; it knows nothing of customers that don't pay beforehand."""
    global _source  # noqa: PLW0603 (set once, when the application is made)
    _source = source


def prepaid_of(customers: Collection[UUID]) -> Mapping[UUID, Prepaid]:
    """Those of these customers that pay beforehand."""
    return _source(customers) if customers else {}
