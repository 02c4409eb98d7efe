"""The Celery application, and when its periodic tasks run."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("tollgate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
for tasks in ("wallet_tasks", "plan_tasks", "invoice_tasks", "document_tasks", "payment_tasks", "zone_tasks"):
    app.autodiscover_tasks(["apps.billing"], related_name=tasks)

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
    "forget keys of requests": {"task": "api.forget_keyed_requests", "schedule": 24 * 60 * EVERY_MINUTE},
    "charge what was sent": {"task": "ingest.charge", "schedule": 10.0, "options": {"expires": 30}},
    "forget keys of what was sent": {"task": "ingest.forget", "schedule": 60 * EVERY_MINUTE},
    "evaluate alerts": {"task": "alerts.evaluate", "schedule": 20.0, "options": {"expires": 20}},
    "tell what happened": {"task": "alerts.tell_happenings", "schedule": 10.0, "options": {"expires": 10}},
    "look for abuse": {"task": "alerts.look_for_abuse", "schedule": 5 * EVERY_MINUTE, "options": {"expires": 300}},
    "forget old alerts": {"task": "alerts.forget", "schedule": 60 * EVERY_MINUTE},
    "send what waits": {"task": "alerts.deliver", "schedule": 5.0, "options": {"expires": 5}},
    "begin subscriptions": {
        "task": "billing.begin_subscriptions",
        "schedule": EVERY_MINUTE,
        "options": {"expires": 60},
    },
    "give what plans include": {
        "task": "billing.grant_allowances",
        "schedule": EVERY_MINUTE,
        "options": {"expires": 60},
    },
    "draw usage from credit": {"task": "billing.draw", "schedule": EVERY_MINUTE, "options": {"expires": 60}},
    "draw what came late": {"task": "billing.draw_all", "schedule": 60 * EVERY_MINUTE},
    "expire credit": {"task": "billing.expire_credit", "schedule": EVERY_MINUTE, "options": {"expires": 60}},
    "build invoices": {"task": "billing.build_invoices", "schedule": 60 * EVERY_MINUTE, "options": {"expires": 3000}},
    "make invoices final": {
        "task": "billing.finalize_invoices",
        "schedule": 60 * EVERY_MINUTE,
        "options": {"expires": 3000},
    },
    "ask about payments": {"task": "billing.ask_about_payments", "schedule": 2 * EVERY_MINUTE},
    "ask about disputes": {"task": "billing.ask_about_disputes", "schedule": 6 * 60 * EVERY_MINUTE},
    "top up what is low": {"task": "billing.top_up_what_is_low", "schedule": 10 * EVERY_MINUTE},
    "send invoices": {"task": "billing.send_invoices", "schedule": EVERY_MINUTE, "options": {"expires": 60}},
    "remind of what is overdue": {
        "task": "billing.remind",
        "schedule": 60 * EVERY_MINUTE,
        "options": {"expires": 3000},
    },
    "follow changes of zones": {"task": "billing.follow_zones", "schedule": 10 * EVERY_MINUTE},
    "let in who paid": {"task": "billing.reinstate_all", "schedule": EVERY_MINUTE, "options": {"expires": 60}},
    "tell that a worker lives": {"task": "ops.beat", "schedule": 10.0, "options": {"expires": 10}},
}
