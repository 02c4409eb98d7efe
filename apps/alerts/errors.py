"""What alerts refuse.

Refused
├── TooMany               rules, channels or tests: there are enough
└── CannotAct             there is nobody to do it to, or it isn't done to those
"""

from apps.kit.errors import Refused


class TooMany(Refused):
    pass


class CannotAct(Refused):
    pass
