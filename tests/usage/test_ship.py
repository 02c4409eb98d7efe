from apps.usage.models import Batch, Request
from tests.usage.conftest import a_call, write_spool


def test_shipped_call_is_a_row_and_a_batch(cast, root, ship):
    write_spool(root, a_call(cast.globex))
    assert ship() == 1
    assert Request.objects.get().batch_id == Batch.objects.get().id
    assert ship() == 0
