"""Tenantry: the runtime for multi-tenant AI agents."""

import zoneinfo

# zoneinfo reads the machine's own files before the tzdata package. Two machines, or a slot and the mail about it, would
# then go by different rules; without a path only the package that the lock file pins is left.
zoneinfo.reset_tzpath(to=[])
zoneinfo.ZoneInfo.clear_cache()
