"""`make bench`: the cost of a turn and of a streamed chunk, each beside its floor."""

import asyncio

from bench import streams, turns


async def main() -> None:
    """Measure and print both."""
    await turns.main()
    await streams.main()


if __name__ == "__main__":
    asyncio.run(main())
