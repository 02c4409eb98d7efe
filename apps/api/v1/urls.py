from django.urls import path, re_path

from apps.api.v1 import audit, customers, keys, limits, prices, sending
from apps.api.v1.base import Nothing

urlpatterns = [
    path("customers", customers.CustomerList.as_view(), name="customers"),
    path("customers/<uuid:customer_id>", customers.CustomerDetail.as_view(), name="customer"),
    path("customers/<uuid:customer_id>/suspend", customers.CustomerSuspend.as_view(), name="customer-suspend"),
    path("customers/<uuid:customer_id>/resume", customers.CustomerResume.as_view(), name="customer-resume"),
    path("customers/<uuid:customer_id>/limits", limits.CustomerLimits.as_view(), name="customer-limits"),
    path("customers/<uuid:customer_id>/user-limits", limits.UserLimits.as_view(), name="user-limits"),
    path("customers/<uuid:customer_id>/user-limits/<uuid:limit_id>", limits.UserLimit.as_view(), name="user-limit"),
    path("keys", keys.KeyList.as_view(), name="keys"),
    path("keys/<uuid:key_id>", keys.KeyDetail.as_view(), name="key"),
    path("keys/<uuid:key_id>/rotate", keys.KeyRotate.as_view(), name="key-rotate"),
    path("keys/<uuid:key_id>/revoke", keys.KeyRevoke.as_view(), name="key-revoke"),
    path("keys/<uuid:key_id>/limits", limits.KeyLimits.as_view(), name="key-limits"),
    path("requests", sending.Requests.as_view(), name="requests"),
    path("prices", prices.PriceList.as_view(), name="prices"),
    path("audit-events", audit.AuditLog.as_view(), name="audit-events"),
    re_path("", Nothing.as_view(), name="nothing"),
]
