"""manage.py create_organization "Acme" --owner owner@example.com [--password-env VAR]"""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.utils.text import slugify

from apps.accounts.models import User
from apps.accounts.services import create_organization
from apps.kit.commands import Command as BaseCommand
from apps.kit.commands import secret_from


class Command(BaseCommand):
    help = "Creates an operator with its owner, who is made if there is no such person yet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name")
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        parser.add_argument("--slug", help="how commands and URLs call it; otherwise made from the name")
        parser.add_argument("--time-zone", default="UTC", metavar="ZONE", help="such as Europe/Paris")
        parser.add_argument(
            "--password-env",
            metavar="VAR",
            help="the environment variable with a new owner's password; without it, they set one",
        )

    def run(self, **options: Any) -> dict[str, object]:
        password = None
        if options["password_env"]:
            password = secret_from(options["password_env"], what="password")
            validate_password(password, User(email=options["owner"]))
        organization = create_organization(
            options["name"],
            owner_email=options["owner"],
            password=password,
            time_zone=options["time_zone"],
            slug=options["slug"] or slugify(options["name"]),
        )
        owner = User.objects.get(memberships__organization=organization)
        return {
            "id": organization.pk,
            "slug": organization.slug,
            "name": organization.name,
            "owner": owner.email,
        }
