from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "apps.billing"

    def ready(self) -> None:
        from apps.billing.queries.prepaid import prepaid_of
        from apps.limits.prepaid import set_source

        set_source(prepaid_of)
