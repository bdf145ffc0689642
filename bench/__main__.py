"""`make bench`: the cost of a turn and of a streamed chunk, each beside its floor, and where a turn's time goes."""

import asyncio

from bench import stages, streams, turns


async def main() -> None:
    """Measure and print all."""
    await turns.main()
    await stages.main()
    await streams.main()


if __name__ == "__main__":
    asyncio.run(main())
