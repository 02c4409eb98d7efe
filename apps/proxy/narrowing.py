"""What a call says of its own limits: `Helicone-RateLimit-Policy`, or Tollgate's of the same form. Knows no Django."""

from apps.limits.policy import BadPolicy, Policy, read_policy
from apps.proxy.context import Context
from apps.proxy.headers import OURS
from apps.proxy.stops import Stop

NAME = b"ratelimit-policy"
NO_POLICY: tuple[None, str] = (None, "")


def policy_of(extra: dict[bytes, bytes], context: Context) -> tuple[Policy | None, str]:
    """The policy and whom it is about: the end user, the value of a property, or "" for all of the customer's calls.

    Raises Stop for what cannot be understood: a limit that somebody asks for and doesn't get would be worse.
    """
    said = next((value for prefix in OURS if (value := extra.get(prefix + NAME, b"").strip())), b"")
    if not said:
        return NO_POLICY
    try:
        policy = read_policy(said.decode("ascii", "replace"))
    except BadPolicy as error:
        raise _bad(str(error)) from None
    if not policy.segment:
        return policy, ""
    if policy.segment == "user":
        if context.end_user is None:
            raise _bad("s=user limits each end user, and this call names none: send Helicone-User-Id.")
        return policy, f"user={context.end_user}"
    for name, said_of_it in context.properties:
        if name.lower() == policy.segment:
            return policy, f"{policy.segment}={said_of_it}"
    raise _bad(
        f"s={policy.segment} is a property that this call doesn't have: send Helicone-Property-{policy.segment}."
    )


def _bad(what: str) -> Stop:
    return Stop(400, "invalid_rate_limit_policy", f"Helicone-RateLimit-Policy: {what}")
