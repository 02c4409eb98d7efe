"""The operator's alerts: all see what fires and what was found, owners and admins change it."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Role
from apps.alerts import pages
from apps.alerts.owners import Owner


def _page(role: Role, page: Callable[..., HttpResponse]) -> Any:
    """The page, for members whose role includes `role`."""

    @operator_page(role)
    def view(request: OperatorRequest, **ids: Any) -> HttpResponse:
        visit = pages.Visit(request, Owner(request.organization), request.member.may(Role.ADMIN))
        return page(visit, **ids)

    return view


alerts = _page(Role.VIEWER, pages.overview)
alert_history = _page(Role.VIEWER, pages.history)
alert_rule_add = _page(Role.ADMIN, pages.rule_add)
alert_rule_edit = _page(Role.ADMIN, pages.rule_edit)
alert_rule_delete = require_POST(_page(Role.ADMIN, pages.rule_delete))
alert_rule_pause = require_POST(_page(Role.ADMIN, pages.rule_pause))
alert_rule_mute = require_POST(_page(Role.ADMIN, pages.rule_mute))
alert_channels = _page(Role.ADMIN, pages.channels)
alert_channel_detail = _page(Role.ADMIN, pages.channel_detail)
alert_channel_test = require_POST(_page(Role.ADMIN, pages.channel_test))
alert_channel_pause = require_POST(_page(Role.ADMIN, pages.channel_pause))
alert_channel_secret = require_POST(_page(Role.ADMIN, pages.channel_secret))
alert_channel_delete = require_POST(_page(Role.ADMIN, pages.channel_delete))
delivery_again = require_POST(_page(Role.ADMIN, pages.delivery_again))
findings = _page(Role.VIEWER, pages.findings)
finding_decide = require_POST(_page(Role.ADMIN, pages.finding_decide))
finding_act = require_POST(_page(Role.ADMIN, pages.finding_act))
event_subscriptions = _page(Role.ADMIN, pages.subscriptions)
event_subscription_delete = require_POST(_page(Role.ADMIN, pages.subscription_delete))
