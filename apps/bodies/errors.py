"""What the bodies room refuses.

Refused
└── BodyUnreadable            a stored body that does not open; the text says why
"""

from apps.kit.errors import Refused


class BodyUnreadable(Refused):
    pass
