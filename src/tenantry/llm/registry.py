"""All model providers, by the name that settings and requests use."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakSet

import structlog

from tenantry.credentials.provider_keys import ProviderKeys
from tenantry.domain.errors import SealedValueUnreadable
from tenantry.domain.provider import ProviderModel
from tenantry.domain.tenant import Tenant
from tenantry.llm.base import Model, UsageReported
from tenantry.llm.breaker import Breakers, GuardedModel
from tenantry.llm.chat_completions.client import ChatCompletions
from tenantry.llm.chat_completions.connections import open_socket
from tenantry.llm.chat_completions.endpoint import Endpoint, Patience
from tenantry.llm.form_policy.policy import FormPolicy
from tenantry.llm.recent import Recent
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.sockets import SocketFactory, guarded_sockets
from tenantry.settings import ModelSettings
from tenantry.storage.repositories import providers
from tenantry.storage.repositories.providers import StoredProvider
from tenantry.storage.tenancy import Database

log = structlog.get_logger()

FORM_POLICY = "form-policy"
_KEPT_TENANTS = 500
_KEPT_S = 60.0
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Millionths of a US dollar for a million tokens."""

    input: int
    output: int


@dataclass(frozen=True, slots=True)
class TenantModels:
    """The models of one tenant as its settings are: those of its own providers, those of the installation, and always
    the form policy, which needs no key and no network. `defaults` are tried in this order for an agent that names no
    model; `allowed_names` are those that a caller may name; `installed` gives a model of the installation's
    provider."""

    own: Mapping[str, Model]
    prices: Mapping[str, Price]
    defaults: tuple[str, ...]
    allowed_names: tuple[str, ...]
    form_policy: Model
    installed: Callable[[str], Model] | None = None

    @property
    def default_name(self) -> str:
        """The model of agents that name none."""
        return self.defaults[0] if self.defaults else FORM_POLICY

    def allowed(self) -> tuple[str, ...]:
        """The models that a caller may name."""
        return self.allowed_names

    def find(self, name: str) -> Model | None:
        """The model of that name, or None when it is not to be had for the tenant."""
        if name == FORM_POLICY:
            return self.form_policy
        if name in self.own:
            return self.own[name]
        return self.installed(name) if self.installed is not None and name in self.allowed_names else None

    def chain(self, wanted: str, fallbacks: Sequence[str] = ()) -> tuple[Model, ...]:
        """The models to try for one that was asked for by name, in order: its fallbacks after it, then the defaults, at
        last the form policy; when that was asked for by its name, nothing else."""
        if wanted == FORM_POLICY:
            return (self.form_policy,)
        names = dict.fromkeys((wanted, *fallbacks, *self.defaults))
        names.pop(FORM_POLICY, None)
        found = (self.find(name) for name in names)
        return (*(model for model in found if model is not None), self.form_policy)

    def trusted(self, name: str) -> bool:
        """Whether the model is to be had and its provider does not keep failing."""
        model = self.find(name)
        return model.trusted if isinstance(model, GuardedModel) else model is not None

    def price(self, name: str) -> Price | None:
        """What the model costs, None where it is not known."""
        return Price(0, 0) if name == FORM_POLICY else self.prices.get(name)

    def cost_micros(self, name: str, usage: UsageReported) -> int:
        """What a request to the model cost in millionths of a US dollar, rounded up: as its provider says, else by its
        price; 0 where neither is known."""
        if usage.cost_micros is not None:
            return max(0, usage.cost_micros)
        price = self.price(name)
        if price is None:
            return 0
        return -(-(usage.input_tokens * price.input + usage.output_tokens * price.output) // _MILLION)


class Models:
    """The models of all tenants. Tenants' own providers may only be at addresses that the network policy allows; the
    installation's is the operator's choice."""

    def __init__(
        self,
        settings: ModelSettings | None = None,
        keys: ProviderKeys | None = None,
        policy: NetworkPolicy | None = None,
        breakers: Breakers | None = None,
    ) -> None:
        """`settings` are the installation's own model; without `keys` no tenant has providers of its own."""
        self._settings = settings
        self._keys = keys
        self._breakers = breakers or Breakers()
        self._installation = self._breakers.of("installation")
        self._form_policy = FormPolicy()
        self._kept: Recent[tuple[UUID, int], TenantModels] = Recent(_KEPT_TENANTS, _KEPT_S)
        self._installed: Recent[str, Model] = Recent(_KEPT_TENANTS, float("inf"))
        self._sockets = guarded_sockets(policy or NetworkPolicy())
        self._clients: WeakSet[ChatCompletions] = WeakSet()

    async def of(self, db: Database, tenant: Tenant) -> TenantModels:
        """The tenant's models by its settings at `tenant.settings_stamp`. Call it while holding no connection.

        Raises DatabaseUnavailable.
        """
        found = self.at_hand(tenant)
        if found is None:
            stored: list[StoredProvider] = []
            if self._keys is not None:
                async with db.tenant(tenant.id) as tx:
                    stored = await providers.list_all(tx)
            found = self._made(tenant, stored)
            self._kept.put((tenant.id, tenant.settings_stamp), found)
        return found

    def at_hand(self, tenant: Tenant) -> TenantModels | None:
        """What `of` gives where nothing has to be read for it, else None."""
        return self._kept.get((tenant.id, tenant.settings_stamp))

    async def close(self) -> None:
        """Close the connections to providers; answers that are still being read end as cut."""
        await asyncio.gather(*(client.close() for client in tuple(self._clients)))

    def _made(self, tenant: Tenant, stored: Sequence[StoredProvider]) -> TenantModels:
        own: dict[str, Model] = {}
        prices: dict[str, Price] = {}
        for each in stored:
            try:
                key = self._keys.key_of(each) if self._keys else ""
            except SealedValueUnreadable:
                # The tenant's other models still answer.
                log.error("sealed value unreadable", tenant_id=str(tenant.id), provider_id=str(each.provider.id))
                continue
            for model in each.provider.settings.models:
                if model.name not in own:
                    own[model.name] = self._own(each, model, key)
                    if model.input_price is not None and model.output_price is not None:
                        prices[model.name] = Price(model.input_price, model.output_price)
        installation = self._settings.chain if self._settings else ()
        return TenantModels(
            own=own,
            prices=prices,
            # What a tenant brought itself is not left for what it did not choose.
            defaults=tuple(own)[:1] or installation,
            allowed_names=tuple(dict.fromkeys((*tenant.allowed_models, *(installation or (FORM_POLICY,)), *own))),
            form_policy=self._form_policy,
            installed=self._of_installation if self._settings else None,
        )

    def _own(self, stored: StoredProvider, model: ProviderModel, key: str) -> Model:
        provider, settings = stored.provider, stored.provider.settings
        endpoint = Endpoint(
            settings.base_url,
            key,
            model.model or model.name,
            answer_mode=settings.answer_mode,
            patience=_patience(stored),
        )
        # A provider that was changed deserves a new start.
        breaker = self._breakers.of((provider.tenant_id, provider.id, provider.updated_at))
        return GuardedModel(self._client(model.name, endpoint, self._sockets), breaker)

    def _client(self, name: str, endpoint: Endpoint, sockets: SocketFactory) -> ChatCompletions:
        client = ChatCompletions(name, endpoint, sockets)
        self._clients.add(client)
        return client

    def _of_installation(self, name: str) -> Model:
        found = self._installed.get(name)
        if found is None:
            if self._settings is None:
                raise LookupError("the installation has no provider")
            endpoint = Endpoint(self._settings.base_url, self._settings.api_key or "", name)
            found = GuardedModel(self._client(name, endpoint, open_socket), self._installation)
            self._installed.put(name, found)
        return found


def _patience(stored: StoredProvider) -> Patience:
    usual, own = Patience(), stored.provider.settings.timeouts
    return Patience(
        first_token=own.first_token or usual.first_token,
        between_tokens=own.between_tokens or usual.between_tokens,
        total=own.total or usual.total,
    )
