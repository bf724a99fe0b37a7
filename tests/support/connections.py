"""What outlives a session of aiohttp that is closed."""

import asyncio


async def connections_closed() -> None:
    """Wait until the connections of the running loop have ended: a loop that is closed before leaves them open."""
    transports = asyncio.get_running_loop()._transports  # type: ignore[attr-defined]  # nothing public tells
    async with asyncio.timeout(5):
        while any(transport._sock is not None for transport in list(transports.values())):
            await asyncio.sleep(0.005)
