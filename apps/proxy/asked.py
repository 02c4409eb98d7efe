"""What is asked: whose call it is, what it wants, the way to the provider, the limits and the price it is under.

The first third of a call; `recorded.py` has what is written down of it, `call.py` the rest. Knows no Django.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from apps.bodies.kept import Kept
from apps.keys.token import digest, looks_valid
from apps.kit.failpoints import reach
from apps.kit.ids import uuid7_bytes
from apps.limits.scopes import Scopes
from apps.pricing.rating import Price
from apps.pricing.selling import Sale
from apps.proxy import stops
from apps.proxy.aliases import Alias, rewritten
from apps.proxy.asgi import BodyTooLarge, Receive, Scope, Send, client_address, whole_body
from apps.proxy.attempts import Attempts
from apps.proxy.grant import UNKNOWN, Grant, GrantsUnavailable, PricesUnavailable
from apps.proxy.headers import take_key
from apps.proxy.keeping import kept_of
from apps.proxy.listing import PATHS, listing_of
from apps.proxy.made import MakersUnknown
from apps.proxy.memo import MEMO, Memo
from apps.proxy.narrowing import NO_POLICY, policy_of
from apps.proxy.protocols.base import Ask, Match
from apps.proxy.protocols.compatible import SPEAK_OPENAI, named_provider
from apps.proxy.protocols.errors import BadBody
from apps.proxy.protocols.routes import WIRES
from apps.proxy.retrying import ENABLED, Policy, asked_for, says_of_retries
from apps.proxy.route import Plan, Route, Share
from apps.proxy.upload import Upload, form_of, length_of

if TYPE_CHECKING:
    from apps.proxy.app import Proxy


class Asked:
    """A call as far as it is asked. Each step leaves what the next ones need, and raises Stop where it ends."""

    def __init__(self, proxy: "Proxy", match: Match, scope: Scope, receive: Receive, send: Send) -> None:
        # Given
        self.proxy = proxy
        self.wire, self.operation, self.provider, self.may_name_provider = match
        self.scope = scope
        self.receive = receive
        self.send = send
        self.id = uuid7_bytes()
        self.began = time.perf_counter()
        self.began_at = time.time()

        # Known of the request, step by step
        memo: Memo = scope.get(MEMO) or Memo()
        self.head, self.context, self.key_hash = memo.read(scope["headers"])
        self.query = b""
        self.grant: Grant
        self.scopes: Scopes  # whose limits it is under
        self.route: Route
        self.attempts: Attempts | None = None  # where there may be several
        self.is_known = False  # whose call it is: `grant` is there, and the call is recorded, however it ends
        self.ask = Ask(model=self.operation.model, is_streamed=self.operation.is_streamed)
        self.body: bytes | None = None  # None: passed on as it comes
        self.upload: Upload | None = None  # the form that it is, where its fields are read
        self.alias: Alias | None = None  # the organization's own name for the model, where the client said that
        self.model: str | None = None  # what the provider calls it, where the client said "provider/model"
        self.deployed: str | None = None  # the model that it is the name of, where Azure has names of its own
        self.kept: Kept | None = None  # of what is stored of it
        self.provider_key_id: bytes | None = None
        self.price: Price | None = None  # the provider's
        self.sale: Sale | None = None  # the customer's; None: that with its markup

    # Whose call it is

    async def authenticate(self) -> None:
        """Find the grant of the key, wherever the SDK put it."""
        key, self.query = take_key(self.scope["query_string"])
        key = self.head.key or key
        if not key:
            raise stops.no_key()
        hashed = self.key_hash or digest(key)
        grant = self.proxy.grants.cached(hashed)
        if grant is None:
            if not looks_valid(key):
                raise stops.not_our_key()
            try:
                grant = await self.proxy.grants.load(hashed)
            except GrantsUnavailable:
                raise stops.away("Keys cannot be looked up at the moment.") from None
        if grant is None:
            raise stops.unknown_key()
        self.grant = grant
        self.is_known = True
        reach("after_auth")
        if bar := grant.bar_at(self.began_at):
            raise stops.barred(bar)
        if not grant.access.is_open and not grant.access.allows_address(client_address(self.scope)):
            raise stops.network_not_allowed()

    # What it asks for

    async def understand(self) -> None:
        """Read the body as far as it matters; find the way to the provider, and the price."""
        grant = self.grant
        if self.operation.is_deferred:
            raise stops.deferred()
        # What else can be read, changed or deleted lies in the operator's account, which all its customers share.
        if self.scope["method"] != "POST" and not (self.operation.is_catalogue or self.operation.object_id):
            raise stops.not_theirs()
        if self.head.is_json or self.operation.needs_json:
            await self.read_body()
        elif self.operation.takes_form:
            await self.read_form()
        if grant.bodies is not None:
            self.kept = kept_of(grant.bodies, self.head, self.scope["headers"], self.body)
        if grant.aliases and (alias := self.find_alias(grant.aliases)):
            self.take_alias(alias)
        elif self.may_name_provider and (named := named_provider(self.ask.model, grant.routes)):
            self.provider, self.model = named
        route = grant.routes.get(self.provider)
        if route is None:
            raise stops.no_provider(self.alias.name if self.alias else self.provider)
        may_be_repeated = self.body is not None and (grant.plans or ENABLED in self.head.extra)
        if may_be_repeated and (plan := self.plan_for(route)):
            self.attempts = Attempts(plan, self.proxy.circuits)
            route = self.attempts.routes[0]
        self.route = route
        self.provider_key_id = route.provider_key_id
        if route.wire != self.wire.name:
            self.wire = WIRES[route.wire]
        model, alias_name = self.model or self.ask.model, self.alias.name if self.alias else None
        if route.deployments:
            self.deployed = route.deployments.get(model)
            model = self.deployed or model
        if not grant.access.is_open and not grant.access.allows_model(self.provider, model, alias_name):
            raise stops.model_not_allowed(alias_name or model or self.operation.name)
        if self.ask.is_background and self.proxy.background is None:
            raise stops.no_background()
        if self.ask.refers_to or self.operation.object_id:
            await self.check_makers()
        self.find_limits()
        if self.operation.is_charged:
            if self.ask.model and (price := await self.price_of(model)):
                self.price = price.at(self.began_at)
            if grant.terms is not None:
                self.sale = grant.terms.sale(self.provider, model, alias_name, self.began_at)
            if self.price is None and self.scopes.has_cap and (self.sale is None or self.sale.goes_by_cost):
                raise stops.unpriced(alias_name or self.ask.model or self.operation.name)

    def plan_for(self, route: Route) -> Plan | None:
        """How it is tried, where that is more than once: as the operator wants it, or as its own headers ask."""
        plan, extra = self.grant.plans.get(self.provider), self.head.extra
        if not says_of_retries(extra):
            return plan
        plan = plan or Plan((Share(route),), Policy())
        plan = plan._replace(policy=asked_for(plan.policy, extra))
        return plan if plan.policy.retries or len(plan.shares) > 1 else None

    def find_alias(self, aliases: Mapping[str, Alias]) -> Alias | None:
        """What the model's name stands for. Raises Listing for a call that asks which names there are."""
        if self.scope["method"] == "GET" and self.operation.path in PATHS:
            raise listing_of(self.grant, self.wire.name)
        return aliases.get(self.ask.model)

    def take_alias(self, alias: Alias) -> None:
        """Make it a call to the provider and the model that the alias stands for."""
        is_offered = self.may_name_provider and alias.wire in SPEAK_OPENAI
        if alias.provider != self.provider and not is_offered:
            raise stops.other_protocol(alias.name, alias.wire)
        self.alias, self.provider = alias, alias.provider
        if self.upload is not None:
            if alias.forced:
                raise stops.bad_body(BadBody(f"“{alias.name}” sets what a form cannot be given.", "model"))
            self.model = alias.model
            return
        try:
            self.operation, self.body = rewritten(alias, self.wire, self.operation, self.body or b"{}")
            self.ask = self.wire.read(self.operation, self.body)
        except BadBody as error:
            raise stops.bad_body(error) from None

    async def check_makers(self) -> None:
        """What the call names of what is kept at the provider must be this customer's own."""
        named = [*self.ask.refers_to, *([(None, self.operation.object_id)] if self.operation.object_id else [])]
        grant, makers = self.grant, self.proxy.makers
        if makers is None:
            raise stops.not_theirs()
        try:
            asked = (makers.of(grant.organization_id, self.provider, object_id) for _, object_id in named)
            found = await asyncio.gather(*asked)
        except MakersUnknown:
            raise stops.away("Whose this is cannot be looked up at the moment.") from None
        for (param, object_id), maker in zip(named, found, strict=True):
            if maker is None or maker.customer_id != grant.customer_id:
                raise stops.not_made_by_them(param, object_id)
            if param is None and maker.alias:  # what it is read by has the name that it was made by
                self.alias = grant.aliases.get(maker.alias)
            if maker.is_awaited and param is None and self.proxy.background is not None:
                self.proxy.background.hurry(object_id)
                if self.scope["method"] == "DELETE":
                    raise stops.still_awaited(object_id)

    def find_limits(self) -> None:
        """Whose limits the call is under: its customer's, key's and end user's, and the one it asks for itself."""
        if self.grant.book.blocked and self.context.end_user in self.grant.book.blocked:
            raise stops.end_user_blocked()
        policy, segment = policy_of(self.head.extra, self.context) if self.head.extra else NO_POLICY
        self.scopes = self.grant.book.scopes(self.context.end_user, policy, segment)

    async def read_body(self) -> None:
        try:
            self.body = await whole_body(self.receive, self.proxy.max_body)
            if self.body or self.operation.needs_json:
                self.ask = self.wire.read(self.operation, self.body)
        except BodyTooLarge:
            raise stops.body_too_large(self.proxy.max_body) from None
        except BadBody as error:
            raise stops.bad_body(error) from None
        self.context = self.context.with_end_user(self.ask.end_user)

    async def read_form(self) -> None:
        """The fields of a form with files; the files themselves pass by, where nothing that we go by is after them."""
        wire, headers, most = self.wire, self.scope["headers"], self.proxy.max_upload
        try:
            form = form_of(headers, wire.form_fields, wire.most_files(self.operation))
            self.upload = Upload(self.receive, form, length_of(headers), most)
            await self.upload.read(to_its_end=wire.most_files(self.operation) > 1)
            self.ask = wire.read_form(self.operation, form, self.upload.size)
        except BodyTooLarge:
            raise stops.body_too_large(most) from None
        except BadBody as error:
            raise stops.bad_body(error) from None
        self.context = self.context.with_end_user(self.ask.end_user)

    async def price_of(self, model: str) -> Price | None:
        """What the model costs; None where nobody knows. The database is asked the first time only."""
        grants, owner = self.proxy.grants, self.grant.organization_id
        price = grants.cached_price(owner, self.provider, model)
        if price is not UNKNOWN:
            return price  # type: ignore[return-value]
        try:
            return await grants.load_price(owner, self.provider, model)
        except PricesUnavailable:
            if self.scopes.has_cap:
                raise stops.away("Prices cannot be looked up at the moment.") from None
            return None  # served, and priced once the price can be read (manage.py reprice)
