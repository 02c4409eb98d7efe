"""What changes organizations and who belongs to them. Each change is in the audit log.

`by` is who does it: a user, or None for a command. Whether they may is for the faces to ask, but for the
rule that only owners make and unmake owners, which is kept here.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.errors import AlreadyMember, LastOwner, NameTaken, NotAllowed
from apps.accounts.invitations import Token, claim, new_person_for, send_invitation
from apps.accounts.models import Invitation, Member, Organization, Role, User
from apps.accounts.people import create_person, user_of
from apps.kit.after_commit import after_commit
from apps.kit.locks import lock_name
from apps.kit.slugs import free_slug

SETTINGS = ("name", "time_zone", "default_markup_percent", "on_limiter_outage", "on_client_gone", "max_retries")


@transaction.atomic
def create_organization(
    name: str,
    *,
    owner: User | None = None,
    owner_email: str = "",
    password: str | None = None,
    time_zone: str = "UTC",
    slug: str = "",
    by: User | None = None,
) -> Organization:
    """A new tenant with its owner: `owner`, or the person with `owner_email`, who is made if there is none.

    password: for a person who is made; one who exists keeps theirs. Without it, they set one by a reset.
    slug: how commands and URLs call it; if "", made from the name, with a number where that is taken.
    Raises ValidationError; NameTaken when `slug` is taken.
    """
    lock_name("organization slugs")  # of two of a name at once, one gets the slug
    if slug and _is_taken(slug):
        raise NameTaken(f"There is an organization “{slug}” already. Choose another name.")
    organization = Organization(name=name.strip(), time_zone=time_zone)
    organization.slug = slug or free_slug(name, is_taken=_is_taken, otherwise="organization")
    organization.full_clean()
    organization.save(force_insert=True)
    owner = owner or user_of(owner_email) or create_person(owner_email, password=password, is_verified=True)
    audit.record(organization, "organization.create", organization, actor=by)
    add_member(organization, owner, Role.OWNER, by=by)
    return organization


@transaction.atomic
def update_organization(organization: Organization, *, by: User | None, **changes: audit.Value) -> Organization:
    """Change some of SETTINGS. Raises ValidationError, nothing changed."""
    if unknown := changes.keys() - set(SETTINGS):
        raise TypeError(f"not a setting of an organization: {', '.join(sorted(unknown))}")
    locked = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    before = audit.fields_of(locked, SETTINGS)
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.full_clean()
    if difference := audit.difference(before, audit.fields_of(locked, SETTINGS)):
        locked.save(update_fields=list(difference))
        audit.record(locked, "organization.update", locked, actor=by, changes=difference)
        if "time_zone" in difference:
            after_commit("usage.align_hours", str(locked.pk))
    return locked


@transaction.atomic
def add_member(organization: Organization, user: User, role: Role, *, by: User | None) -> Member:
    """Let `user` in, as `role`. Raises AlreadyMember."""
    _lock(organization)
    if organization.members.filter(user=user).exists():
        raise AlreadyMember(f"{user.email} is a member already.")
    member = Member.objects.create(organization=organization, user=user, role=role)
    audit.record(organization, "member.add", member, actor=by, changes={"role": (None, role.value)})
    return member


@transaction.atomic
def invite_member(
    organization: Organization, *, email: str, role: Role, by: User | None, at: datetime | None = None
) -> tuple[Invitation, str]:
    """Mail a link that lets `email` in as `role`, and give it: it is not to be had again.

    An earlier invitation of the same address ends. Raises ValidationError, AlreadyMember, NotAllowed.
    """
    at = at or timezone.now()
    _lock(organization)
    _check_may_make(organization, by, role)
    if organization.members.filter(user__email__iexact=email).exists():
        raise AlreadyMember(f"{email} is a member already.")
    organization.invitations.filter(email__iexact=email, accepted_at=None).delete()
    token = Token.make()
    invitation = Invitation(
        organization=organization,
        email=email.strip().lower(),
        role=role,
        token_hash=token.hash,
        invited_by=by,
        created_at=at,
        expires_at=at + settings.INVITATION_LIFETIME,
    )
    invitation.full_clean()
    invitation.save(force_insert=True)
    audit.record(organization, "member.invite", invitation, actor=by, changes={"role": (None, role.value)})
    link = send_invitation(invitation, token, url_name="invitation-accept", inviting=organization.name)
    return invitation, link


@transaction.atomic
def withdraw_invitation(invitation: Invitation, *, by: User | None) -> None:
    """End an invitation that was not accepted; one that was stays as it is."""
    deleted, _ = Invitation.objects.filter(pk=invitation.pk, accepted_at=None).delete()
    if deleted:
        audit.record(invitation.organization, "member.withdraw_invitation", invitation, actor=by)


@transaction.atomic
def accept_invitation(invitation: Invitation, user: User, *, at: datetime) -> Member:
    """Let the invited person in. Works once. Raises InvitationUnusable, AlreadyMember."""
    invitation = claim(invitation, user, at=at)
    return add_member(invitation.organization, user, Role(invitation.role), by=user)


@transaction.atomic
def accept_invitation_as_new(invitation: Invitation, *, name: str, password: str, at: datetime) -> Member:
    """Make the invited person's account and let them in. Raises InvitationUnusable, AccountExists."""
    user = new_person_for(invitation, name=name, password=password)
    return accept_invitation(invitation, user, at=at)


@transaction.atomic
def change_role(member: Member, role: Role, *, by: User | None) -> Member:
    """Give `member` another role. Raises NotAllowed, and LastOwner when no owner would be left."""
    organization = _lock(member.organization)
    member = organization.members.select_for_update(no_key=True).get(pk=member.pk)
    old = Role(member.role)
    if old == role:
        return member
    _check_may_make(organization, by, role, old)
    if old == Role.OWNER:
        _check_owner_remains(organization, without=member)
    member.role = role
    member.save(update_fields=["role"])
    audit.record(organization, "member.change_role", member, actor=by, changes={"role": (old.value, role.value)})
    return member


@transaction.atomic
def remove_member(member: Member, *, by: User | None) -> None:
    """Shut `member` out, from their next click on; their account stays. Raises NotAllowed, LastOwner."""
    organization = _lock(member.organization)
    role = Role(member.role)
    is_leaving = by is not None and by.pk == member.user_id
    if not is_leaving:
        _check_may_make(organization, by, role)
    if role == Role.OWNER:
        _check_owner_remains(organization, without=member)
    audit.record(organization, "member.remove", member, actor=by, changes={"role": (role.value, None)})
    member.delete()


def _is_taken(slug: str) -> bool:
    return Organization.objects.filter(slug=slug).exists()


def _lock(organization: Organization) -> Organization:
    """Changes to an organization's members happen one after the other."""
    return Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


def _check_may_make(organization: Organization, by: User | None, *roles: Role) -> None:
    """Only owners make and unmake owners; commands may do anything."""
    if by is None or Role.OWNER not in roles:
        return
    if not organization.members.filter(user=by, role=Role.OWNER).exists():
        raise NotAllowed("Only an owner can do this to an owner. Ask one of them.")


def _check_owner_remains(organization: Organization, *, without: Member) -> None:
    if not organization.members.filter(role=Role.OWNER).exclude(pk=without.pk).exists():
        raise LastOwner("An organization needs an owner. Make somebody else one first.")
