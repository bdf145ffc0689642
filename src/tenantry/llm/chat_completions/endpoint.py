"""Where a model is reached, and how long it is waited for."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds until the first token, between two tokens, and for a whole step with its tries; how many more tries a
    request gets while nothing was said, and the seconds before the first of them, doubled each time."""

    first_token: float = 20.0
    between_tokens: float = 15.0
    total: float = 60.0
    retries: int = 2
    backoff: float = 0.25
    longest_retry_after: float = 10.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model at an address such as `https://api.openai.com/v1`. An empty `api_key` sends none. `structured` False is
    for endpoints without `response_format`: the form of the answer is then only asked for in the prompt."""

    base_url: str
    api_key: str = field(repr=False)
    model: str
    structured: bool = True
    patience: Patience = field(default_factory=Patience)
