"""Every error a user can meet: one class, one HTTP status, one stable code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of the input; `field` is a dotted path such as `variables.2.name`."""

    field: str
    message: str


class TenantryError(Exception):
    """Something went wrong; try again, and tell the operator if it stays."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        extra: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """`detail` says what to do, by default the docstring; `extra` is added to the answer's body;
        `retry_after` is in seconds."""
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.errors = tuple(errors)
        self.extra = dict(extra or {})
        self.retry_after = retry_after
        super().__init__(self.detail)


class InvalidInput(TenantryError):
    """The request is not valid; correct the named fields and send it again."""

    status = 422
    code = "invalid_input"


class PayloadTooLarge(TenantryError):
    """The request body is too large; send less at once."""

    status = 413
    code = "payload_too_large"


class Unauthenticated(TenantryError):
    """No valid API key; send `Authorization: Bearer tnt_…` with a key that is not revoked."""

    status = 401
    code = "unauthenticated"


class Forbidden(TenantryError):
    """This key may not do that; use a key with the scope or role that the route needs."""

    status = 403
    code = "forbidden"


class NotFound(TenantryError):
    """There is nothing with this id that this key can see."""

    status = 404
    code = "not_found"


class ConversationDeleted(TenantryError):
    """The conversation was deleted with its contact; nothing of this message is kept. Send it again to begin anew."""

    status = 410
    code = "conversation_deleted"


class Conflict(TenantryError):
    """The thing was changed by someone else in between; read it again and repeat the change."""

    status = 409
    code = "conflict"


class ExportRunning(TenantryError):
    """An export of this tenant is being made; begin another one when that has ended."""

    status = 409
    code = "export_running"
    retryable = True


class AgentNotPublished(TenantryError):
    """No version of this agent was published yet; publish it with POST /api/v1/agents/{agent_id}/publish."""

    status = 409
    code = "agent_not_published"


class IdempotencyKeyReused(TenantryError):
    """This idempotencyKey was used for another request; use a new one for a new message."""

    status = 422
    code = "idempotency_key_reused"


class ModelNotAllowed(TenantryError):
    """This model is not allowed for the client; leave `model` out or name an allowed one."""

    status = 422
    code = "model_not_allowed"


class ConversationBusy(TenantryError):
    """Other messages of this conversation are still being answered; send this one again later."""

    status = 503
    code = "conversation_busy"
    retryable = True


class TurnInProgress(TenantryError):
    """Another message of this conversation is being answered and its agent takes one at a time; nothing was kept, send
    this one again when the answer is there."""

    status = 409
    code = "turn_in_progress"
    retryable = True


class RateLimited(TenantryError):
    """Too many messages in the last minute; send this one again after the time that Retry-After says."""

    status = 429
    code = "rate_limited"
    retryable = True


class BudgetExhausted(TenantryError):
    """The month's budget is used up; wait until Retry-After is over, or have the budget raised."""

    status = 429
    code = "budget_exhausted"
    retryable = True


class DatabaseUnavailable(TenantryError):
    """The database cannot be reached; send the request again in a moment."""

    status = 503
    code = "database_unavailable"
    retryable = True


class CalendarUnavailable(TenantryError):
    """The calendar at the provider cannot be reached for now; try again in a moment."""

    status = 503
    code = "calendar_unavailable"
    retryable = True


class ConnectionBroken(TenantryError):
    """The connection to the provider does not work any more; its owner has to sign in again."""

    status = 409
    code = "connection_broken"


class CalendarRefused(TenantryError):
    """The provider does not let this be done in that calendar; check the calendar's rights, or choose another one."""

    status = 409
    code = "calendar_refused"


class ProviderNotSetUp(ConnectionBroken):
    """This installation has no OAuth client for that provider; the operator sets one in the environment."""

    status = 409
    code = "provider_not_set_up"


class ConsentInvalid(TenantryError):
    """This consent was not asked for by this browser session, was used already, or took too long; start connecting
    again."""

    status = 400
    code = "consent_invalid"


class SpeechUnavailable(TenantryError):
    """The speech engine of this machine does not answer; try again in a moment."""

    status = 503
    code = "speech_unavailable"
    retryable = True


class SpeechBusy(TenantryError):
    """Too much speech waits on this machine; try again in a moment."""

    status = 503
    code = "speech_busy"
    retryable = True


class MailUnavailable(TenantryError):
    """The mail server does not take mail for now; try again in a moment."""

    status = 503
    code = "mail_unavailable"
    retryable = True


class MailRefused(TenantryError):
    """The mail server does not take this mail; check the recipient's address."""

    status = 409
    code = "mail_refused"


class CallEnded(TenantryError):
    """The call is over, or another process speaks for it by now; leave its room."""

    status = 409
    code = "call_ended"


class TicketInvalid(TenantryError):
    """This ticket is not of a call that waits for an agent; leave the job."""

    status = 409
    code = "ticket_invalid"


class OriginRefused(TenantryError):
    """This web site may not open calls with that key; its owner adds the origin to the site."""

    status = 403
    code = "origin_refused"


class TooManyCalls(TenantryError):
    """All lines are busy; try again in a moment."""

    status = 503
    code = "busy"
    retryable = True


class PageNotBuilt(TenantryError):
    """The call page is not built on this server; its operator runs `make web`, which needs npm."""

    status = 503
    code = "page_not_built"


class LiveKitUnavailable(TenantryError):
    """The LiveKit server cannot be reached for now; try again in a moment."""

    status = 503
    code = "livekit_unavailable"
    retryable = True


class ConfigurationError(TenantryError):
    """The settings of this installation are not usable; `tenantry doctor` says what to mend."""

    code = "configuration_error"


class SealedValueUnreadable(TenantryError):
    """A sealed value cannot be opened with this installation's master key; restore the key, or set the value again."""

    code = "sealed_value_unreadable"


class HomeInUse(ConfigurationError):
    """Another process runs Tenantry on this TENANTRY_HOME; stop it first or choose another folder."""

    code = "home_in_use"
