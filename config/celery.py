"""The Celery application, and when its periodic tasks run."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("tollgate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

EVERY_MINUTE = 60.0

app.conf.beat_schedule = {  # a late, doubled or killed run is harmless: see each task
    "roll up what was shipped": {"task": "usage.roll_up", "schedule": 2.0, "options": {"expires": 10}},
    "make next months' partitions": {"task": "usage.make_partitions", "schedule": 60 * EVERY_MINUTE},
    "forget bodies that were kept long enough": {"task": "bodies.forget_expired", "schedule": 60 * EVERY_MINUTE},
    "delete bodies that no policy keeps": {"task": "bodies.enforce_all", "schedule": 24 * 60 * EVERY_MINUTE},
    "forget old batches": {"task": "usage.forget_batches", "schedule": 60 * EVERY_MINUTE},
    "keep what pages show": {"task": "usage.keep_snapshots", "schedule": EVERY_MINUTE, "options": {"expires": 60}},
    "forget old usage": {"task": "usage.forget_old", "schedule": 6 * 60 * EVERY_MINUTE},
    "take up exports again": {"task": "exports.resume", "schedule": EVERY_MINUTE, "options": {"expires": 60}},
    "forget exports": {"task": "exports.forget", "schedule": 60 * EVERY_MINUTE},
    "charge what was sent": {"task": "ingest.charge", "schedule": 10.0, "options": {"expires": 30}},
    "forget keys of what was sent": {"task": "ingest.forget", "schedule": 60 * EVERY_MINUTE},
    "evaluate alerts": {"task": "alerts.evaluate", "schedule": 20.0, "options": {"expires": 20}},
    "tell what happened": {"task": "alerts.tell_happenings", "schedule": 10.0, "options": {"expires": 10}},
    "look for abuse": {"task": "alerts.look_for_abuse", "schedule": 5 * EVERY_MINUTE, "options": {"expires": 300}},
    "forget old alerts": {"task": "alerts.forget", "schedule": 60 * EVERY_MINUTE},
    "send what waits": {"task": "alerts.deliver", "schedule": 5.0, "options": {"expires": 5}},
    "tell that a worker lives": {"task": "ops.beat", "schedule": 10.0, "options": {"expires": 10}},
}
