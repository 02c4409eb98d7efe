from apps.usage.models import HourlyUsage
from apps.usage.rollup import roll_up
from tests.usage.conftest import a_call, write_spool


def test_a_second_batch_is_added_to_the_hour(cast, root, ship):
    for _ in range(2):
        write_spool(root, a_call(cast.globex))
        ship()
        assert roll_up() == 1
    assert HourlyUsage.objects.get().requests == 2
