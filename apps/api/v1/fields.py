"""Values as the API has them: money exact, as strings; times in UTC; whatever is sent within what can be stored."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.models import time_zones

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
WRITTEN = {"type": "string", "pattern": r"^-?\d{1,12}(\.\d{1,12})?$", "examples": ["12.5"]}
MOST_INTEGER = 2**31 - 1
MOST_BIG_INTEGER = 2**53 - 1  # what JavaScript can count to


@extend_schema_field(WRITTEN)
class Amount(serializers.DecimalField):
    """A number that is exact: as people write it, in a string."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 24, "decimal_places": 12} | options)

    def to_representation(self, value: Decimal) -> str:
        return f"{value.normalize():f}"


class Instant(serializers.DateTimeField):
    """A time, in RFC 3339. What is sent without an offset is UTC."""

    default_error_messages = {"range": "Times are from the year 2000 up to 2199."}  # noqa: RUF012  as the others

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"default_timezone": UTC} | options)

    def to_internal_value(self, value: Any) -> datetime:
        at: datetime = super().to_internal_value(value)
        if not EARLIEST <= at < LATEST:
            self.fail("range")
        return at


@extend_schema_field({"type": "string", "examples": ["Europe/Berlin"]})
class Zone(serializers.CharField):
    """The name of a time zone."""

    default_error_messages = {"zone": "There is no such time zone."}  # noqa: RUF012  as the others

    def to_internal_value(self, data: Any) -> ZoneInfo:  # type: ignore[override]
        name = super().to_internal_value(data)
        if name not in time_zones():
            self.fail("zone")
        return ZoneInfo(name)


class Text(serializers.CharField):
    """Text as it was sent: nothing is cut off its ends, and it is text in JSON too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "max_length": 1000} | options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


def audience_of(serializer: serializers.BaseSerializer[Any]) -> bool:
    """Whether what it writes is for the operator."""
    return bool(serializer.context["is_operators"])


class Told(serializers.Serializer[Any]):
    """Something as it is told. OPERATORS: fields that a customer isn't told; they are not there then."""

    OPERATORS: tuple[str, ...] = ()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        told = super().to_representation(instance)
        if self.OPERATORS and not audience_of(self):
            for name in self.OPERATORS:
                told.pop(name, None)
        return told


class Asked(serializers.Serializer[Any]):
    """What is sent in a body. A member that it doesn't know is an error, so that a typo is not taken for nothing."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(dict.fromkeys(unknown, "There is no such member."))
        clean: dict[str, Any] = super().to_internal_value(data)
        return clean
