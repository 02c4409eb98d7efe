"""manage.py add_provider_key --organization acme --provider openai --name main --secret-env VAR"""

from argparse import ArgumentParser
from typing import Any

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.keys.checking import check_provider_key
from apps.keys.errors import ProviderKeyRefused
from apps.keys.services.provider_keys import add_provider_key
from apps.kit.commands import secret_from


class Command(OrganizationCommand):
    help = "Puts a provider's secret into the vault: from an environment variable, or standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--provider", required=True, metavar="SLUG", help="such as openai, or one's own")
        parser.add_argument("--name", required=True)
        parser.add_argument("--secret-env", metavar="VAR", help="the environment variable with the secret")
        parser.add_argument("--base-url", default="", metavar="URL", help="needed for Azure, or one's own")
        parser.add_argument(
            "--deployment",
            action="append",
            default=[],
            metavar="NAME=MODEL",
            help="of Azure: the model that a deployment runs; once for each",
        )
        parser.add_argument("--check", action="store_true", help="ask the provider first whether it is good")

    def run(self, **options: Any) -> dict[str, object]:
        organization = organization_of(options["organization"])
        secret = secret_from(options["secret_env"], what="secret")
        if options["check"]:
            check = check_provider_key(options["provider"], secret, base_url=options["base_url"])
            if not check.is_good:
                raise ProviderKeyRefused(check.message)
        key = add_provider_key(
            organization,
            provider=options["provider"],
            name=options["name"],
            secret=secret,
            base_url=options["base_url"],
            deployments={name: model for name, _, model in (each.partition("=") for each in options["deployment"])},
            by=None,
        )
        return {
            "id": key.pk,
            "provider": key.provider,
            "name": key.name,
            "base_url": key.base_url,
            "last_four": key.last_four,
        }
