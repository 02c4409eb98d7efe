"""What changes customers and who belongs to them. Each change is in the audit log and tells the proxies.

`by` is who does it: a user, or None for a command.
"""

from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.errors import AlreadyMember, NameTaken
from apps.accounts.invitations import Token, claim, new_person_for, send_invitation
from apps.accounts.models import Organization, User
from apps.customers.limit_fields import ACCESS
from apps.customers.models import Customer, CustomerInvitation, CustomerMember, CustomerRole
from apps.kit.notify import notify
from apps.kit.slugs import free_slug

FIELDS = ("name", "email", "markup_percent", *Customer.LIMITS, *ACCESS, "shortens_output", "retries", "monthly_fee")


def notify_grants(*, customer_id: object) -> None:
    """Tell the proxies to forget what they know of the customer, when the transaction at hand commits."""
    notify("tollgate_grants", f"customer:{customer_id}")


@transaction.atomic
def add_customer(organization: Organization, *, name: str, by: User | None, slug: str = "", **fields: Any) -> Customer:
    """A new customer with `fields` from FIELDS; limits left out are none.

    slug: how commands call it; if "", made from the name, with a number where that is taken.
    Raises ValidationError; NameTaken when `slug` is taken.
    """
    _check_fields(fields)
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)  # of two of a name, one gets the slug
    if slug and _is_taken(organization, slug):
        raise NameTaken(f"{organization} has a customer “{slug}” already. Choose another name.")
    customer = Customer(organization=organization, name=name.strip())
    customer.change_limits(fields, timezone.now())
    customer.slug = slug or free_slug(name, is_taken=partial(_is_taken, organization), otherwise="customer")
    customer.full_clean()
    customer.save(force_insert=True)
    changes = audit.difference({}, _told(customer))
    audit.record(organization, "customer.add", customer, actor=by, changes=changes, customer=customer)
    return customer


@transaction.atomic
def update_customer(customer: Customer, *, by: User | None, **changes: Any) -> Customer:
    """Change some of FIELDS; holds for the next request on every proxy. Raises ValidationError."""
    _check_fields(changes)
    customer = lock(customer)
    before = _told(customer)
    customer.change_limits(changes, timezone.now())
    customer.full_clean()
    if difference := audit.difference(before, _told(customer)):
        customer.save(update_fields=[*difference, "caps_changed_at"])
        _record(customer, "customer.update", customer, by=by, changes=difference)
        notify_grants(customer_id=customer.pk)
    return customer


@transaction.atomic
def suspend_customer(customer: Customer, *, by: User | None, at: datetime) -> Customer:
    """Refuse the customer's calls from now on. A customer that is suspended stays as it is."""
    customer = lock(customer)
    if not customer.is_suspended:
        _set_suspended(customer, at, "customer.suspend", by=by)
    return customer


@transaction.atomic
def resume_customer(customer: Customer, *, by: User | None) -> Customer:
    """Let the customer's calls through again."""
    customer = lock(customer)
    if customer.is_suspended:
        _set_suspended(customer, None, "customer.resume", by=by)
    return customer


@transaction.atomic
def add_customer_member(customer: Customer, user: User, role: CustomerRole, *, by: User | None) -> CustomerMember:
    """Let `user` into the customer's portal. Raises AlreadyMember."""
    lock(customer)
    if customer.members.filter(user=user).exists():
        raise AlreadyMember(f"{user.email} is a member already.")
    member = CustomerMember.objects.create(customer=customer, user=user, role=role)
    _record(customer, "customer_member.add", member, by=by, changes={"role": (None, role.value)})
    return member


@transaction.atomic
def invite_customer_member(
    customer: Customer,
    *,
    email: str,
    role: CustomerRole = CustomerRole.ADMIN,
    by: User | None,
    at: datetime | None = None,
) -> tuple[CustomerInvitation, str]:
    """Mail a link that lets `email` into the portal as `role`, and give it: it is not to be had again.

    An earlier invitation of the same address ends. Raises ValidationError, AlreadyMember.
    """
    at = at or timezone.now()
    lock(customer)
    if customer.members.filter(user__email__iexact=email).exists():
        raise AlreadyMember(f"{email} is a member already.")
    customer.invitations.filter(email__iexact=email, accepted_at=None).delete()
    token = Token.make()
    invitation = CustomerInvitation(
        customer=customer,
        email=email.strip().lower(),
        role=role,
        token_hash=token.hash,
        invited_by=by,
        created_at=at,
        expires_at=at + settings.INVITATION_LIFETIME,
    )
    invitation.full_clean()
    invitation.save(force_insert=True)
    _record(customer, "customer_member.invite", invitation, by=by, changes={"role": (None, role.value)})
    inviting = f"{customer.name} at {customer.organization.name}"
    link = send_invitation(invitation, token, url_name="customer-invitation-accept", inviting=inviting)
    return invitation, link


@transaction.atomic
def withdraw_customer_invitation(invitation: CustomerInvitation, *, by: User | None) -> None:
    """End an invitation that was not accepted; one that was stays as it is."""
    deleted, _ = CustomerInvitation.objects.filter(pk=invitation.pk, accepted_at=None).delete()
    if deleted:
        _record(invitation.customer, "customer_member.withdraw_invitation", invitation, by=by)


@transaction.atomic
def accept_customer_invitation(invitation: CustomerInvitation, user: User, *, at: datetime) -> CustomerMember:
    """Let the invited person in. Works once. Raises InvitationUnusable, AlreadyMember."""
    invitation = claim(invitation, user, at=at)
    return add_customer_member(invitation.customer, user, CustomerRole(invitation.role), by=user)


@transaction.atomic
def accept_customer_invitation_as_new(
    invitation: CustomerInvitation, *, name: str, password: str, at: datetime
) -> CustomerMember:
    """Make the invited person's account and let them in. Raises InvitationUnusable, AccountExists."""
    user = new_person_for(invitation, name=name, password=password)
    return accept_customer_invitation(invitation, user, at=at)


@transaction.atomic
def change_customer_role(member: CustomerMember, role: CustomerRole, *, by: User | None) -> CustomerMember:
    """Give `member` another role in the portal."""
    member = CustomerMember.objects.select_for_update(no_key=True).get(pk=member.pk)
    old, member.role = member.role, role
    if old != role:
        member.save(update_fields=["role"])
        _record(member.customer, "customer_member.change_role", member, by=by, changes={"role": (old, role.value)})
    return member


@transaction.atomic
def remove_customer_member(member: CustomerMember, *, by: User | None) -> None:
    """Shut `member` out of the portal, from their next click on; their account stays."""
    _record(member.customer, "customer_member.remove", member, by=by, changes={"role": (member.role, None)})
    member.delete()


def _is_taken(organization: Organization, slug: str) -> bool:
    return organization.customers.filter(slug=slug).exists()


def lock(customer: Customer) -> Customer:
    """The customer as it is now, held until the transaction ends: changes happen one after the other."""
    return (
        Customer.objects.select_for_update(of=("self",), no_key=True).select_related("organization").get(pk=customer.pk)
    )


def _set_suspended(customer: Customer, at: datetime | None, action: str, *, by: User | None) -> None:
    changes = {"suspended_at": (customer.suspended_at, at)}
    customer.suspended_at = at
    customer.save(update_fields=["suspended_at"])
    _record(customer, action, customer, by=by, changes=changes)
    notify_grants(customer_id=customer.pk)


def _record(
    customer: Customer, action: str, target: Any, *, by: User | None, changes: audit.Changes | None = None
) -> None:
    audit.record(customer.organization, action, target, actor=by, changes=changes, customer=customer)


def _told(customer: Customer) -> dict[str, Any]:
    """What is told of a customer in the audit log: nothing of empty lists."""
    fields = audit.fields_of(customer, FIELDS)
    return {name: value for name, value in fields.items() if value is not False and value != []}


def _check_fields(fields: dict[str, Any]) -> None:
    if unknown := fields.keys() - set(FIELDS):
        raise TypeError(f"not a field of a customer: {', '.join(sorted(unknown))}")
