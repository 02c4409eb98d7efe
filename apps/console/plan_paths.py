"""The addresses of plans, and of customers' plans."""

from django.urls import path

from apps.console.views import customer_plans, plans

_plan = "billing/plans/<uuid:plan_id>"
_customer = "customers/<uuid:customer_id>/plan"

plan_paths = [
    path("billing/plans/", plans.plans, name="plans"),
    path("billing/plans/add/", plans.plan_add, name="plan-add"),
    path(f"{_plan}/", plans.plan_detail, name="plan-detail"),
    path(f"{_plan}/edit/", plans.plan_edit, name="plan-edit"),
    path(f"{_plan}/retire/", plans.plan_retire, name="plan-retire"),
    path(f"{_plan}/offer/", plans.plan_offer, name="plan-offer"),
    path(f"{_plan}/move/", plans.plan_move, name="plan-move"),
    path("billing/coupons/add/", plans.coupon_add, name="coupon-add"),
    path("billing/coupons/<uuid:coupon_id>/retire/", plans.coupon_retire, name="coupon-retire"),
    path(f"{_customer}/", customer_plans.customer_plan, name="customer-plan"),
    path(f"{_customer}/subscribe/", customer_plans.customer_subscribe, name="customer-subscribe"),
    path(f"{_customer}/change/", customer_plans.customer_plan_change, name="customer-plan-change"),
    path(f"{_customer}/end/", customer_plans.customer_plan_end, name="customer-plan-end"),
    path(f"{_customer}/keep/", customer_plans.customer_plan_keep, name="customer-plan-keep"),
    path(f"{_customer}/simulate/", customer_plans.customer_plan_simulate, name="customer-plan-simulate"),
    path(f"{_customer}/coupons/add/", customer_plans.customer_coupon_add, name="customer-coupon-add"),
    path(f"{_customer}/coupons/remove/", customer_plans.customer_coupon_remove, name="customer-coupon-remove"),
]
