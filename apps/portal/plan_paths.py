"""The address of the customer's plan."""

from django.urls import path

from apps.portal.views import plans

plan_paths = [path("billing/plan/", plans.plan, name="plan")]
