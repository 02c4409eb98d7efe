"""What billing refuses.

Refused
    NotEnoughCredit
    NotPossible         in the state that the invoice, subscription or payment is in
    NotConfigured       something has to be set first: an exchange rate, a payment provider
    PaymentDeclined
"""

from apps.kit.errors import Refused


class NotEnoughCredit(Refused):
    """The wallet's lots hold less than is to be taken."""


class NotPossible(Refused):
    """What is asked for doesn't go with the state that things are in."""


class NotConfigured(Refused):
    """Something has to be set first; the message says what and where."""


class PaymentDeclined(Refused):
    """The payment provider did not take the payment."""
