"""What is loaded before call processes are forked, so that they share its memory."""

import gc

from tenantry.channels.livekit_voice.browser.host import process

__all__ = ["process"]

# A collection writes into what it looks at, which would make each process a copy of all of this.
gc.collect()
gc.freeze()
