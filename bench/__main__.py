"""`make bench`: the cost of a turn and of a streamed chunk beside their floors and where a turn's time goes, what many
agents and contacts add to it, how soon a publication is answered elsewhere, and the cost and the delays of calls."""

import asyncio

from bench import publication, scale, stages, streams, turns, voice


async def main() -> None:
    """Measure and print all."""
    await turns.main()
    await stages.main()
    await streams.main()
    await publication.main()
    await scale.main()
    await voice.main()


if __name__ == "__main__":
    asyncio.run(main())
