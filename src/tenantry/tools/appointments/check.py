"""check_availability: when an appointment could start."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tenantry.domain.agent import Agent, Function
from tenantry.domain.booking import Interval
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.domain.wall_time import NonexistentTime, day_begins, parse_date, parse_instant
from tenantry.tools.appointments.desk import CALENDAR_AWAY, Desk, away
from tenantry.tools.appointments.parameters import TIME_ZONE, moment
from tenantry.tools.base import ToolContext, invalid
from tenantry.tools.parameters import function_spec

_OFFERED = 6
_STRIDE = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class CheckAvailability:
    """Reads only."""

    name: str = "check_availability"
    reads_only: bool = True

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        zone = agent.definition.time_zone
        own = {
            "start": moment(
                'From when on, such as "2026-11-24" or "2026-11-24T15:00" in the contact\'s zone where '
                f"that is known, else in {zone}; by default from now."
            ),
            "end": moment("Up to when, in the same form; a date includes that day. By default as far as booking goes."),
            "time_zone": TIME_ZONE,
        }
        # What is free does not depend on what was collected.
        asks_nothing = replace(function, variables=())
        return function_spec(agent, asks_nothing, "List the next free times for an appointment.", own)

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """`ok` with up to six free starts in order of time; `failed` while the owner's calendar is away; `invalid`."""
        desk = await Desk.open(context, arguments)
        if isinstance(desk, ToolResult):
            return desk
        schedule = desk.schedule
        start, end = schedule.earliest, schedule.latest
        try:
            if "start" in arguments:
                start = max(start, _bound(arguments["start"], desk.zone, timedelta(0)))
            if "end" in arguments:
                end = min(end, _bound(arguments["end"], desk.zone, timedelta(days=1)))
        except (ValueError, OverflowError) as error:
            return invalid(f"start or end is {error}")
        try:
            free = await _free(desk, Interval(start, end))
        except CALENDAR_AWAY:
            return away()
        return ToolResult({"status": "ok", **desk.written(free=free), "time_zone": schedule.zone.key})


async def _free(desk: Desk, window: Interval) -> list[datetime]:
    # Busy times are read a month at a time: most windows are answered from the first.
    found: list[datetime] = []
    start = window.start
    while start < window.end and len(found) < _OFFERED:
        part = Interval(start, min(start + _STRIDE, window.end))
        busy = await desk.busy(part)
        found.extend(desk.schedule.free_starts(part, busy, _OFFERED - len(found)))
        start = part.end
    return found


def _bound(text: str, zone: ZoneInfo, of_day: timedelta) -> datetime:
    """The instant that the text names; a date names its beginning plus `of_day`."""
    day = parse_date(text)
    if day is not None:
        return day_begins(day + of_day, zone)
    try:
        return parse_instant(text, zone)
    except NonexistentTime as error:
        return error.after
