"""Whose events they are: those of the customer that the sender is, or that each names, of the sender's organization."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.ingest.calls import Sender
from apps.ingest.errors import Invalid
from apps.ingest.event import Told
from apps.ingest.services import Sent
from apps.keys.models import ProxyKey
from apps.pricing.card_book import load_all_terms
from apps.usage.record import SENT_KEY

NO_CUSTOMER = "There is no such customer."
NO_KEY = "The customer has no such proxy key."


class Senders:
    """Tells the sender of each event, in a few queries for all of them.

    customer: who sends, where it is one customer; None: somebody of the organization, and each event names one.
    proxy_key: with which they were sent, if with one.
    default: the customer's id or slug of events that name none.
    """

    def __init__(
        self,
        organization: Organization,
        customer: Customer | None,
        events: Iterable[Told | Invalid],
        *,
        proxy_key: ProxyKey | None = None,
        default: str | None = None,
    ) -> None:
        self._customer = customer
        self._proxy_key = proxy_key
        self._default = default
        told = [event for event in events if isinstance(event, Told)]
        named = {name for name in (default, *(event.customer for event in told)) if name and "\0" not in name}
        self._customers = _customers(organization, customer, named)
        self._keys = _keys(organization, {event.proxy_key for event in told if event.proxy_key})
        self._terms = load_all_terms(
            organization.pk, {each.pk for each in [customer, *self._customers.values()] if each}
        )

    def sent(self, event: Told | Invalid) -> Sent | Invalid:
        """The event with its sender; Invalid where it names a customer or a key that is none of the sender's."""
        if isinstance(event, Invalid):
            return event
        try:
            return Sent(self._sender(event), event)
        except Invalid as error:
            return error

    def _sender(self, event: Told) -> Sender:
        customer = self._customer_of(event)
        if event.alias and self._customer is not None:
            raise Invalid("What models are sold as is for the operator to say.", "alias")
        return Sender(
            customer.organization_id,
            customer.pk,
            customer.effective_markup_percent,
            self._key_of(event, customer),
            self._terms.get(customer.pk),
        )

    def _customer_of(self, event: Told) -> Customer:
        name = event.customer or self._default
        if name is None or name == "":
            if self._customer is None:
                raise Invalid("Name the customer, by id or slug.", "customer")
            return self._customer
        if (found := self._customers.get(name.lower())) is None:
            raise Invalid(NO_CUSTOMER, "customer")
        return found

    def _key_of(self, event: Told, customer: Customer) -> UUID:
        if not event.proxy_key:
            return self._proxy_key.pk if self._proxy_key is not None else SENT_KEY
        key = self._keys.get(event.proxy_key.lower())
        if key is None or key.customer_id != customer.pk:
            raise Invalid(NO_KEY, "proxy_key")
        return key.pk


def _customers(organization: Organization, customer: Customer | None, named: set[str]) -> dict[str, Customer]:
    """By id and by slug, those of them that the sender may send for."""
    found: Iterable[Customer] = [customer] if customer is not None else []
    if customer is None and named:
        wanted = Q(slug__in=named) | Q(pk__in=_ids(named))
        found = organization.customers.filter(wanted).select_related("organization")
    return {name: each for each in found for name in (str(each.pk), each.slug)}


def _keys(organization: Organization, named: set[str]) -> dict[str, ProxyKey]:
    if not named:
        return {}
    return {str(key.pk): key for key in ProxyKey.objects.filter(organization=organization, pk__in=_ids(named))}


def _ids(names: Iterable[str]) -> list[UUID]:
    ids = []
    for name in names:
        try:
            ids.append(UUID(name))
        except ValueError:
            continue
    return ids
