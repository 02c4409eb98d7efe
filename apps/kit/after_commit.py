"""What happens once a transaction has committed, and never when it rolls back."""

from celery import current_app
from django.db import transaction


def after_commit(task: str, *args: str | int) -> None:
    """Enqueue the Celery task named `task` with `args` when the transaction at hand commits.

    By name, so that services need not import tasks, which stand above them. A broker that is away is
    logged, not raised: what was committed stays committed, and beat finds what was left undone.
    """

    def enqueue() -> None:
        current_app.send_task(task, args=args)

    transaction.on_commit(enqueue, robust=True)
