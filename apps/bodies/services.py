"""What changes the storing of bodies, erases them, and shows them. Each is in the audit log.

`by` is who does it: a user, or None for a command.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.bodies.errors import BodyUnreadable
from apps.bodies.frame import CannotOpenBody, Texts, unseal
from apps.bodies.landing import ERASING
from apps.bodies.models import BodyPolicy, CustomerBodyPolicy, DroppedBodies, StoredBodies
from apps.bodies.partitions import drop_partitions
from apps.bodies.queries import erased_before, policy_for
from apps.customers.models import Customer
from apps.customers.services import notify_grants
from apps.keys.errors import VaultError
from apps.keys.models import DataKey
from apps.keys.sealing import open_data_key
from apps.kit.after_commit import after_commit
from apps.kit.locks import lock_name
from apps.kit.notify import notify

POLICY = (
    "keeps", "days", "most_kb", "hides_emails", "hides_cards", "hides_keys", "patterns", "open_to",
    "is_open_to_customers",
)  # fmt: skip
OWN_POLICY = ("keeps", "days", "most_kb", "patterns")
ROWS_AT_ONCE = 1000


@transaction.atomic
def set_body_policy(organization: Organization, *, by: User | None, **changes: Any) -> BodyPolicy:
    """Change what the organization stores: some of POLICY. Holds for the next request on every proxy.

    What is stored for longer, or not at all, by the new policy goes soon. Raises ValidationError.
    """
    _check(changes, POLICY)
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    policy, _ = BodyPolicy.objects.get_or_create(organization=organization)
    if difference := _change(policy, changes, POLICY):
        audit.record(organization, "body_policy.update", policy, actor=by, changes=difference)
        notify("tollgate_grants", f"organization:{organization.pk}")
        after_commit("bodies.enforce", str(organization.pk))
    return policy


@transaction.atomic
def set_customer_body_policy(customer: Customer, *, by: User | None, **changes: Any) -> CustomerBodyPolicy:
    """Narrow what is stored for the customer: some of OWN_POLICY. As above. Raises ValidationError."""
    _check(changes, OWN_POLICY)
    Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    policy, _ = CustomerBodyPolicy.objects.get_or_create(customer=customer)
    if difference := _change(policy, changes, OWN_POLICY):
        audit.record(
            customer.organization, "body_policy.narrow", policy, actor=by, changes=difference, customer=customer
        )
        notify_grants(customer_id=customer.pk)
        after_commit("bodies.enforce", str(customer.organization_id))
    return policy


@transaction.atomic
def erase_bodies(
    organization: Organization, customer: Customer | None = None, *, by: User | None, at: datetime
) -> None:
    """Have all bodies that are stored by now gone: of the organization, or of one of its customers.

    From the commit on nobody sees one, and none that is still on its way gets in; a task deletes the rows, and the
    data keys without which they are noise in any copy.
    """
    lock_name(ERASING)
    if customer is None:
        policy, _ = BodyPolicy.objects.get_or_create(organization=organization)
        BodyPolicy.objects.filter(pk=policy.pk).update(erased_at=at)
        audit.record(organization, "request_body.erase", organization, actor=by)
    else:
        own, _ = CustomerBodyPolicy.objects.get_or_create(customer=customer)
        CustomerBodyPolicy.objects.filter(pk=own.pk).update(erased_at=at)
        audit.record(organization, "request_body.erase", customer, actor=by, customer=customer)
    after_commit("bodies.enforce", str(organization.pk))


@transaction.atomic
def view_bodies(bodies: StoredBodies, customer: Customer, *, by: User | None) -> Texts:
    """What is stored of a request, in the open. That `by` saw it is in the audit log. Raises BodyUnreadable."""
    row = DataKey.objects.filter(pk=bodies.key_id, organization=bodies.organization_id).first()
    if row is None:
        raise BodyUnreadable("The key that it is sealed with is gone.")
    try:
        texts = unseal(
            bytes(bodies.sealed),
            open_data_key(row),
            organization_id=bodies.organization_id.bytes,
            customer_id=bodies.customer_id.bytes,
            request_id=bodies.id.bytes,
        )
    except (VaultError, CannotOpenBody) as error:
        raise BodyUnreadable(str(error)) from error
    audit.record(customer.organization, "request_body.view", bodies, actor=by, customer=customer)
    return texts


def enforce_policies(organization_id: UUID, *, at: datetime) -> int:
    """Delete what the organization's policies do not let be stored (any more). Returns how many rows.

    What goes: what was erased, what is of a customer of whom nothing is stored any more, and what is older than
    its customer's days. In batches, each its own transaction; a run beside another, or after one that was killed,
    does what is left.
    """
    deleted = 0
    customers = Customer.objects.select_related("organization__body_policy", "body_policy")
    for customer in customers.filter(organization_id=organization_id).iterator():
        policy = policy_for(customer)
        ends = [erased_before(customer), at if policy is None else _begin_of(at, policy.days)]
        before = max(end for end in ends if end is not None)
        deleted += _delete_before(customer, before)
    return deleted


def forget_expired(*, at: datetime) -> list[str]:
    """Drop the tables of the days that are past, and the data keys that open nothing any more. Returns the tables."""
    today = at.astimezone(UTC).date()
    dropped = drop_partitions(today=today)
    DataKey.objects.filter(needed_until__lte=today).delete()
    DroppedBodies.objects.filter(at__lt=_begin_of(at, 90)).delete()
    return dropped


def _begin_of(at: datetime, days: int) -> datetime:
    """Bodies from before are older than so many whole days."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=days)


def _delete_before(customer: Customer, before: datetime) -> int:
    deleted = rows = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM request_bodies WHERE (last_day, id) IN (SELECT last_day, id FROM request_bodies "
                "WHERE customer_id = %s AND started_at < %s LIMIT %s)",
                [customer.pk, before, ROWS_AT_ONCE],
            )
            rows = cursor.rowcount
        deleted += rows
        if rows < ROWS_AT_ONCE:
            break
    if deleted:
        _delete_keys(customer)
    return deleted


@transaction.atomic
def _delete_keys(customer: Customer) -> None:
    """The data keys that seal nothing any more; while no bodies land. What is on its way brings its key along."""
    lock_name(ERASING)
    used = StoredBodies.objects.filter(customer_id=customer.pk).values("key_id")
    customer.data_keys.exclude(pk__in=used).delete()


def _check(changes: dict[str, Any], known: tuple[str, ...]) -> None:
    if unknown := changes.keys() - set(known):
        raise TypeError(f"not a part of a policy: {', '.join(sorted(unknown))}")


def _change(policy: BodyPolicy | CustomerBodyPolicy, changes: dict[str, Any], told: tuple[str, ...]) -> audit.Changes:
    before = audit.fields_of(policy, told)
    for name, value in changes.items():
        setattr(policy, name, value)
    policy.full_clean(validate_unique=False)
    difference = audit.difference(before, audit.fields_of(policy, told))
    if difference:
        policy.save(update_fields=list(difference))
    return difference
