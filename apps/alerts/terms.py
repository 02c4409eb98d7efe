"""The words of alerts: what is measured, over how long, by what. Values only."""

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _


class Metric(models.TextChoices):
    """What a rule looks at. Money in USD, rates in percent, latencies in milliseconds."""

    PRICE = "price", _("Spend")
    COST = "cost", _("Cost")  # what providers charge: the operator's alone
    MARGIN = "margin", _("Margin")  # likewise
    REQUESTS = "requests", _("Requests")
    REFUSED = "refused", _("Refused requests")
    ERROR_RATE = "error_rate", _("Error rate")
    TOKENS = "tokens", _("Tokens")
    INPUT_TOKENS = "input_tokens", _("Tokens in")
    OUTPUT_TOKENS = "output_tokens", _("Tokens out")
    CACHE_READ_TOKENS = "cache_read_tokens", _("Cached tokens read")
    REASONING_TOKENS = "reasoning_tokens", _("Reasoning tokens")
    LATENCY_P50 = "latency_p50", _("Latency, median")
    LATENCY_P95 = "latency_p95", _("Latency, 95th percentile")
    LIMIT = "limit", _("Share of a limit")  # of a spend cap or another limit that is used
    FINDINGS = "findings", _("Findings of abuse")


OPERATORS_OWN = frozenset({Metric.COST, Metric.MARGIN})
MONEY = frozenset({Metric.PRICE, Metric.COST, Metric.MARGIN})
PERCENTILES = {Metric.LATENCY_P50: 0.5, Metric.LATENCY_P95: 0.95}
COUNTED = frozenset(Metric) - {Metric.LIMIT, Metric.FINDINGS}  # out of requests, over a window


class Grouping(models.TextChoices):
    """What is judged by itself; each group has alerts of its own."""

    NONE = "", _("all together")
    CUSTOMER = "customer", _("each customer")
    KEY = "key", _("each key")
    USER = "user", _("each end user")
    MODEL = "model", _("each model")
    PROPERTY = "property", _("each value of a property")


class Direction(models.TextChoices):
    ABOVE = "above", _("is at or above")
    BELOW = "below", _("is below")


class Comparison(models.TextChoices):
    """What the threshold is: an amount, or a percentage by which a baseline is passed."""

    ABSOLUTE = "absolute", _("an amount")
    BEFORE = "before", _("percent more than in the window before")
    USUAL = "usual", _("percent more than usual (median of earlier windows)")


class Action(models.TextChoices):
    """What happens by itself to whom an alert is about."""

    NONE = "", _("nothing: only tell")
    THROTTLE = "throttle", _("limit its requests a minute")
    BLOCK = "block", _("let nothing of it through")
    SUSPEND = "suspend", _("suspend the customer")
    REVOKE = "revoke", _("revoke the key")


WINDOWS = {  # minutes, and what they are called
    5: _("5 minutes"),
    10: _("10 minutes"),
    15: _("15 minutes"),
    30: _("30 minutes"),
    60: _("1 hour"),
    180: _("3 hours"),
    360: _("6 hours"),
    720: _("12 hours"),
    1440: _("1 day"),
    4320: _("3 days"),
    10080: _("7 days"),
    43200: _("30 days"),
}
QUIET_BEFORE_RESOLVED = timedelta(minutes=5)
MOST_RULES = 200  # of an operator's own in an organization
MOST_RULES_OF_CUSTOMER = 20  # of each customer's own
MOST_CHANNELS = 50
MOST_GROUPS = 1_000  # looked at for one rule: those with the most of what it measures
THRESHOLDS = (50, 80, 100)  # percent of a limit, unless the rule says otherwise


class EventKind(models.TextChoices):
    """What a message is about."""

    FIRING = "alert.firing", _("Alert began")
    RESOLVED = "alert.resolved", _("Alert is over")
    TEST = "test", _("Test")
    REQUEST = "request.recorded", _("Request recorded")
    LIMIT = "limit.reached", _("Limit reached")
    KEY_CREATED = "proxy_key.created", _("Proxy key created")
    KEY_REVOKED = "proxy_key.revoked", _("Proxy key revoked")
    PAYMENT_FAILED = "payment.failed", _("Payment failed")
    PAYMENT_DISPUTED = "payment.disputed", _("Payment disputed")
    INVOICE_OVERDUE = "invoice.overdue", _("Invoice overdue")


OF_MONEY = (EventKind.PAYMENT_FAILED, EventKind.PAYMENT_DISPUTED, EventKind.INVOICE_OVERDUE)  # told to operators alone
OF_USE = (EventKind.REQUEST, EventKind.LIMIT, EventKind.KEY_CREATED, EventKind.KEY_REVOKED)


class FindingKind(models.TextChoices):
    """What looks like abuse."""

    SPEND = "spend", _("Sudden spend")
    BURST = "burst", _("Burst of requests")
    ERRORS = "errors", _("Storm of errors")
    MANY_NETWORKS = "many_networks", _("Key used from many networks")
    NEW_NETWORK = "new_network", _("Key used from a new network")
    LEAKED_KEY = "leaked_key", _("Key that looks leaked")


class Subject(models.TextChoices):
    """Whom a finding or an action is about."""

    CUSTOMER = "customer", _("Customer")
    KEY = "key", _("Key")
    USER = "user", _("End user")
