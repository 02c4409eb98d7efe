"""A customer's own alerts: all of its people see what fires and what was found, admins and developers change it."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from apps.alerts import pages
from apps.alerts.owners import Owner
from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole


def _page(role: CustomerRole, page: Callable[..., HttpResponse]) -> Any:
    """The page, for members whose role includes `role`."""

    @portal_page(role)
    def view(request: PortalRequest, **ids: Any) -> HttpResponse:
        visit = pages.Visit(
            request,
            Owner(request.customer.organization, request.customer),
            request.customer_member.may(CustomerRole.DEVELOPER),
        )
        return page(visit, **ids)

    return view


alerts = _page(CustomerRole.VIEWER, pages.overview)
alert_history = _page(CustomerRole.VIEWER, pages.history)
alert_rule_add = _page(CustomerRole.DEVELOPER, pages.rule_add)
alert_rule_edit = _page(CustomerRole.DEVELOPER, pages.rule_edit)
alert_rule_delete = require_POST(_page(CustomerRole.DEVELOPER, pages.rule_delete))
alert_rule_pause = require_POST(_page(CustomerRole.DEVELOPER, pages.rule_pause))
alert_rule_mute = require_POST(_page(CustomerRole.DEVELOPER, pages.rule_mute))
alert_channels = _page(CustomerRole.DEVELOPER, pages.channels)
alert_channel_detail = _page(CustomerRole.DEVELOPER, pages.channel_detail)
alert_channel_test = require_POST(_page(CustomerRole.DEVELOPER, pages.channel_test))
alert_channel_pause = require_POST(_page(CustomerRole.DEVELOPER, pages.channel_pause))
alert_channel_secret = require_POST(_page(CustomerRole.DEVELOPER, pages.channel_secret))
alert_channel_delete = require_POST(_page(CustomerRole.DEVELOPER, pages.channel_delete))
delivery_again = require_POST(_page(CustomerRole.DEVELOPER, pages.delivery_again))
findings = _page(CustomerRole.VIEWER, pages.findings)
finding_decide = require_POST(_page(CustomerRole.DEVELOPER, pages.finding_decide))
finding_act = require_POST(_page(CustomerRole.DEVELOPER, pages.finding_act))
event_subscriptions = _page(CustomerRole.DEVELOPER, pages.subscriptions)
event_subscription_delete = require_POST(_page(CustomerRole.DEVELOPER, pages.subscription_delete))
