"""What the accounts room refuses.

Refused
├── NotAllowed                the actor's role does not reach so far
├── LastOwner                 an organization always has an owner
├── AlreadyMember             invited, but in already
├── NameTaken                 there is an organization, or a customer of it, that is called so in commands
└── InvitationUnusable        used, withdrawn, expired, or meant for somebody else
    └── AccountExists         the invited person has an account: sign in instead of making one
"""

from apps.kit.errors import Refused


class NotAllowed(Refused):
    pass


class LastOwner(Refused):
    pass


class AlreadyMember(Refused):
    pass


class NameTaken(Refused):
    pass


class InvitationUnusable(Refused):
    pass


class AccountExists(InvitationUnusable):
    pass
