"""The region of what reads schedules: five-field cron expressions in UTC, and the aliases of the Jobs API.

A parser of our own: the fields are minutes, hours, days of the month, months and days of the week, with
`*`, lists, ranges, steps and names; nothing more is needed, and a dependency would be larger than this file.
"""

from __future__ import annotations

# region skillpack:cron
import datetime
from dataclasses import dataclass

ALIASES = {
    "@annually": "0 0 1 1 *",
    "@yearly": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
HORIZON_DAYS = 366 * 8  # 29 February on a given weekday rule still comes round


@dataclass(frozen=True)
class Schedule:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool  # both day fields are restricted: one of them suffices, as in cron

    def _on(self, day: datetime.datetime) -> bool:
        if day.month not in self.months:
            return False
        by_date = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        return (by_date or by_weekday) if self.either_day else (by_date and by_weekday)

    def after(self, moment: datetime.datetime) -> datetime.datetime:
        """The first run strictly after `moment`; ValueError if none comes within eight years."""
        start = moment.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
        day = start.replace(hour=0, minute=0)
        for _ in range(HORIZON_DAYS):
            if self._on(day):
                for hour in sorted(self.hours):
                    if day.replace(hour=hour, minute=59) < start:  # or a schedule of each minute takes half a minute
                        continue
                    for minute in sorted(self.minutes):
                        run = day.replace(hour=hour, minute=minute)
                        if run >= start:
                            return run
            day += datetime.timedelta(days=1)
        raise ValueError("the schedule never runs")


def _cron_number(text: str, label: str, low: int, high: int) -> int:
    names = {"month": MONTHS, "day of week": WEEKDAYS}.get(label, ())
    if text.lower() in names:
        return names.index(text.lower()) + (1 if label == "month" else 0)
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise ValueError(f"{label} {text!r} is not between {low} and {high}")
    return int(text)


def _cron_values(text: str, label: str, low: int, high: int) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _cron_number(step_text, label, 1, high) if slash else 1
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first_text, _, last_text = span.partition("-")
            first, last = _cron_number(first_text, label, low, high), _cron_number(last_text, label, low, high)
            if first > last:
                raise ValueError(f"{label} {span!r} runs backwards")
        else:
            first = _cron_number(span, label, low, high)
            last = high if slash else first
        values.update(range(first, last + 1, step))
    return frozenset(value % 7 for value in values) if label == "day of week" else frozenset(values)


def parse_schedule(expression: str) -> Schedule:
    """A schedule, or ValueError that names the field at fault."""
    fields = ALIASES.get(expression.strip().lower(), expression).split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"{expression!r} is not a schedule: five cron fields, or one of {', '.join(ALIASES)}")
    sets = [_cron_values(text, *field) for text, field in zip(fields, FIELDS, strict=True)]
    either_day = not fields[2].startswith("*") and not fields[4].startswith("*")
    return Schedule(sets[0], sets[1], sets[2], sets[3], sets[4], either_day)


# endregion skillpack:cron
