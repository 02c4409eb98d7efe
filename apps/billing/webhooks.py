"""Where payment providers tell us what happened.

Whoever calls is believed only by the signature, made with a secret of the organization's own. What fails on our
side is answered with 500, so that the provider tells it again; it is kept before, and gone through again by us too.
"""

import logging
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.accounts.models import Organization
from apps.billing.payments.base import BadSignature
from apps.billing.payments.registry import STRIPE, setup_of
from apps.billing.services.payment_events import keep_event, process_event

logger = logging.getLogger(__name__)

MOST_BYTES = 512 * 1024  # Stripe's largest events are a tenth of that


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest, organization_id: UUID) -> HttpResponse:
    """Events of an organization's Stripe account."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
        return HttpResponse(status=413)
    organization = Organization.objects.filter(pk=organization_id).first()
    setup = setup_of(organization, STRIPE) if organization else None
    if organization is None or setup is None:
        raise Http404
    try:
        event = setup.provider.read_event(request.body, request.headers.get("Stripe-Signature", ""))
    except BadSignature as error:
        return HttpResponse(str(error), status=400, content_type="text/plain")
    kept = keep_event(organization, setup.provider, event, at=timezone.now())
    try:
        process_event(kept.row, at=timezone.now())
    except Exception:
        logger.exception("event %s of %s failed", event.id, organization.slug)
        return HttpResponse("Not done: send it again.", status=500, content_type="text/plain")
    return HttpResponse("Done.", content_type="text/plain")
