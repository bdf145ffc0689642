"""Speech to text with Moonshine's English model (https://arxiv.org/abs/2410.15608) on one thread per request.

The package's own library starts threads that spin, for which two cores do 2.5 times less; of it only the weights are
used. As it does, this recognises only where Silero's model hears a voice, since Moonshine hears words in any noise.
"""

from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tenantry.channels.livekit_voice.speech.wire import IN_RATE

Samples = NDArray[np.float32]  # mono, -1 to 1, at IN_RATE

_BEGIN, _END = 1, 2  # tokens
_TOKENS_PER_S = 6.5  # nobody says more; a model that repeats itself does
_HEADS, _HEAD_SIZE = 8, 36
_WINDOW, _CONTEXT = 512, 64  # samples that Silero's model is given at once, and of those before
_VOICE, _SILENCE = 0.5, 0.35  # probabilities above which a voice begins and below which it ends
_MIN_VOICE = 3  # windows; less is a click
_PAD = IN_RATE * 3 // 10  # samples around a voice, for its soft beginning and end
_MAX_SEGMENT = 15 * IN_RATE  # what is longer is cut at its pauses


class Moonshine:
    """The model; threads may share it."""

    def __init__(self) -> None:
        weights = Path(str(distribution("moonshine-voice").locate_file("moonshine_voice/assets/tiny-en")))
        self._encoder = session(weights / "encoder_model.ort")
        self._decoder = session(weights / "decoder_model_merged.ort")
        self._past = [given.name for given in self._decoder.get_inputs() if given.name.startswith("past_key_values.")]
        self._made = [made.name for made in self._decoder.get_outputs()]
        self._words = list(_tokens((weights / "tokenizer.bin").read_bytes()))
        self._voices = VoiceFinder()

    def hear(self, pcm: bytes) -> str:
        """The words in 16-bit PCM at 16,000 Hz; empty where nobody speaks."""
        samples: Samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        heard = (self._recognise(samples[begin:end]) for begin, end in segments(self._voices.find(samples)))
        return " ".join(filter(None, heard))

    def _recognise(self, samples: Samples) -> str:
        audio = samples[None]
        mask = np.ones(audio.shape, np.int64)
        (encoded,) = self._encoder.run(None, {"input_values": audio, "attention_mask": mask})
        given: dict[str, Any] = {
            "encoder_hidden_states": encoded,
            "encoder_attention_mask": mask,
            **dict.fromkeys(self._past, np.zeros((1, _HEADS, 0, _HEAD_SIZE), np.float32)),
        }
        token, said = _BEGIN, list[int]()
        for step in range(max(1, int(len(samples) / IN_RATE * _TOKENS_PER_S))):
            given |= {"input_ids": np.array([[token]], np.int64), "use_cache_branch": np.array([step > 0])}
            made = dict(zip(self._made, self._decoder.run(None, given), strict=True))
            token = int(made["logits"][0, -1].argmax())
            if token == _END:
                break
            said.append(token)
            # The encoder's part of the cache is made once; later steps give back an empty one.
            given |= {
                name: made[name.replace("past_key_values", "present")]
                for name in self._past
                if step == 0 or ".decoder." in name
            }
        return b"".join(self._words[token] for token in said).decode(errors="ignore").replace("▁", " ").strip()


class VoiceFinder:
    """Silero's voice activity model; threads may share it."""

    def __init__(self) -> None:
        package = distribution("livekit-plugins-silero")
        self._model = session(Path(str(package.locate_file("livekit/plugins/silero/resources/silero_vad.onnx"))))

    def find(self, samples: Samples) -> Iterator[tuple[int, int]]:
        """Where voices are, as begin and end in samples, in order and apart from each other."""
        begin = windows = 0
        speaking = False
        for number, probability in enumerate(self._probabilities(samples)):
            at = number * _WINDOW
            if probability >= _VOICE and not speaking:
                begin, windows, speaking = at, 0, True
            elif probability < _SILENCE and speaking:
                speaking = False
                if windows >= _MIN_VOICE:
                    yield begin, at
            windows += 1
        if speaking and windows >= _MIN_VOICE:
            yield begin, len(samples)

    def _probabilities(self, samples: Samples) -> Iterator[float]:
        state = np.zeros((2, 1, 128), np.float32)
        padded = np.concatenate([np.zeros(_CONTEXT, np.float32), samples])
        for at in range(0, len(samples) - _WINDOW + 1, _WINDOW):
            window = padded[None, at : at + _CONTEXT + _WINDOW]
            probability, state = self._model.run(
                None, {"input": window, "state": state, "sr": np.array(IN_RATE, np.int64)}
            )
            yield float(probability.item())


def segments(voices: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Put voices together to what is recognised at once: all of them up to _MAX_SEGMENT, with what is around them."""
    begin = end = 0
    for found_begin, found_end in voices:
        first, last = max(found_begin - _PAD, end), found_end + _PAD
        if end and last - begin > _MAX_SEGMENT:
            yield begin, end
            end = 0
        if not end:
            begin = first
        end = last
        while end - begin > 2 * _MAX_SEGMENT:
            yield begin, begin + _MAX_SEGMENT
            begin += _MAX_SEGMENT
    if end:
        yield begin, end


def session(weights: Path) -> Any:
    """The model on the thread that calls it. More threads of its own would spin while they wait for each other."""
    options = cast(Any, onnxruntime).SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # An arena keeps what the longest utterance took, and is no faster here.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])


def _tokens(packed: bytes) -> Iterator[bytes]:
    """The tokens of a tokenizer.bin, each behind its length, which takes two bytes from 128 on."""
    at = 0
    while at < len(packed):
        length, at = packed[at], at + 1
        if length >= 128:
            length, at = packed[at] * 128 + length - 128, at + 1
        yield packed[at : at + length]
        at += length
