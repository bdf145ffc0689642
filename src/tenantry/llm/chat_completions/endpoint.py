"""Where a model is reached, what it takes, and how long it is waited for."""

from dataclasses import dataclass, field
from typing import Literal

# How a model is held to the form of its answer: by the wire's `response_format`, by a function that it has to call, or
# by words in the prompt alone.
AnswerMode = Literal["json_schema", "tool", "prompt"]


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
    """A model at an address such as `https://api.openai.com/v1`. An empty `api_key` sends none. `answer_mode` is tried
    first; where the provider refuses it, the client steps down to the next one by itself."""

    base_url: str
    api_key: str = field(repr=False)
    model: str
    answer_mode: AnswerMode = "json_schema"
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What of the wire an endpoint takes: how it is held to the form, and whether `stream_options` is sent."""

    answer_mode: AnswerMode
    stream_options: bool = True
