"""Whose alerts a page is about: an operator's own, or those that a customer made for itself."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from apps.accounts.models import Organization
from apps.alerts.models import AlertEvent, AlertRule, Channel, Delivery, EventSubscription, Finding
from apps.alerts.terms import MOST_RULES, MOST_RULES_OF_CUSTOMER, OF_MONEY, OF_USE, EventKind
from apps.customers.models import Customer
from apps.keys.models import ProxyKey


@dataclass(frozen=True)
class Owner:
    """Where every query of alerts starts. customer None: the operator, who doesn't see its customers' own."""

    organization: Organization
    customer: Customer | None = None

    @property
    def is_customer(self) -> bool:
        return self.customer is not None

    @property
    def fields(self) -> dict[str, Any]:
        """What its rows are made with."""
        return {"organization": self.organization, "customer": self.customer, "is_customers": self.is_customer}

    @property
    def rules(self) -> QuerySet[AlertRule]:
        return AlertRule.objects.filter(**self._own()).select_related("organization", "customer", "proxy_key")

    @property
    def channels(self) -> QuerySet[Channel]:
        return Channel.objects.filter(**self._own())

    @property
    def subscriptions(self) -> QuerySet[EventSubscription]:
        return EventSubscription.objects.filter(**self._own()).select_related("channel")

    @property
    def events(self) -> QuerySet[AlertEvent]:
        own = {f"rule__{name}": value for name, value in self._own().items() if name != "organization"}
        events = AlertEvent.objects.filter(organization=self.organization, **own)
        return events.select_related("rule__organization", "rule__customer", "rule__proxy_key")

    @property
    def deliveries(self) -> QuerySet[Delivery]:
        own = {f"channel__{name}": value for name, value in self._own().items() if name != "organization"}
        return Delivery.objects.filter(organization=self.organization, **own).select_related("channel")

    @property
    def findings(self) -> QuerySet[Finding]:
        findings = Finding.objects.filter(organization=self.organization).select_related("customer")
        return findings if self.customer is None else findings.filter(customer=self.customer)

    @property
    def keys(self) -> QuerySet[ProxyKey]:
        keys = ProxyKey.objects.filter(organization=self.organization)
        return keys if self.customer is None else keys.filter(customer=self.customer)

    @property
    def most_rules(self) -> int:
        return MOST_RULES_OF_CUSTOMER if self.is_customer else MOST_RULES

    @property
    def subscribable(self) -> tuple[EventKind, ...]:
        """What its channels can be told of as it happens."""
        return OF_USE if self.is_customer else (*OF_USE, *OF_MONEY)

    def _own(self) -> dict[str, Any]:
        own: dict[str, Any] = {"organization": self.organization, "is_customers": self.is_customer}
        return own | ({"customer": self.customer} if self.is_customer else {})
