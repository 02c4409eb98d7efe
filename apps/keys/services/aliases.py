"""What changes the names under which an organization sells models. The database tells the proxies."""

import json
from typing import Any

from django.db import transaction

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.keys.models import ModelAlias

FIELDS = ("name", "provider", "model", "default_parameters", "forced_parameters")


@transaction.atomic
def add_model_alias(
    organization: Organization, *, name: str, provider: str, model: str, by: User | None, **parameters: Any
) -> ModelAlias:
    """Sell a provider's model as `name`.

    parameters: `default_parameters` and `forced_parameters`, objects. Raises ValidationError.
    """
    alias = ModelAlias(organization=organization)
    _set(alias, {"name": name, "provider": provider, "model": model, **parameters})
    alias.save(force_insert=True)
    audit.record(organization, "model_alias.add", alias, actor=by, changes=audit.difference({}, _told(alias)))
    return alias


@transaction.atomic
def update_model_alias(alias: ModelAlias, *, by: User | None, **changes: Any) -> ModelAlias:
    """Change some of FIELDS, for the next call on every proxy. Raises ValidationError, nothing changed."""
    alias = ModelAlias.objects.select_for_update(of=("self",)).select_related("organization").get(pk=alias.pk)
    before = _told(alias)
    _set(alias, changes)
    if difference := audit.difference(before, _told(alias)):
        alias.save(update_fields=list(difference))
        audit.record(alias.organization, "model_alias.update", alias, actor=by, changes=difference)
    return alias


@transaction.atomic
def delete_model_alias(alias: ModelAlias, *, by: User | None) -> None:
    """Sell nothing under that name any more. What was sold keeps the name on its record."""
    audit.record(alias.organization, "model_alias.delete", alias, actor=by)
    alias.delete()


def _set(alias: ModelAlias, fields: dict[str, Any]) -> None:
    if unknown := fields.keys() - set(FIELDS):
        raise TypeError(f"not a field of a model's alias: {', '.join(sorted(unknown))}")
    for name, value in fields.items():
        setattr(alias, name, value)
    alias.full_clean()


def _told(alias: ModelAlias) -> dict[str, audit.Value]:
    """Its fields as the audit log has them: parameters as the JSON they are written in."""
    told = audit.fields_of(alias, FIELDS)
    return {
        name: json.dumps(value, sort_keys=True) if isinstance(value, dict) else value for name, value in told.items()
    }
