"""What the keys room refuses, and what its vault cannot do.

Refused
├── ProviderKeyRefused        a provider key that cannot be stored, or used by this customer
├── ProviderKeyInUse          deletion of a key that customers' calls are sent with
├── ProxyKeyRefused           a proxy key that cannot be minted or rotated
└── ApiTokenRefused           an API token that cannot be made
VaultError                    never expected: somebody has to look
├── BadKeyRing                TOLLGATE_VAULT_KEYS is not what it should be
├── UnknownVaultKey           sealed under a key-encryption key that is not in the ring
└── CannotOpen                not sealed here: moved, changed, or sealed under another key of the same id
"""

from apps.kit.errors import Refused


class ProviderKeyRefused(Refused):
    pass


class ProviderKeyInUse(Refused):
    pass


class ProxyKeyRefused(Refused):
    pass


class ApiTokenRefused(Refused):
    pass


class VaultError(Exception):
    pass


class BadKeyRing(VaultError):
    pass


class UnknownVaultKey(VaultError):
    pass


class CannotOpen(VaultError):
    pass
