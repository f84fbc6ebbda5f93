"""Schedules, as cron reads them."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from skillpack.kit import cron

SATURDAY = datetime(2026, 11, 21, 10, 30, 15, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("* * * * *", "2026-11-21T10:31"),
        ("@hourly", "2026-11-21T11:00"),
        ("@daily", "2026-11-22T00:00"),
        ("@weekly", "2026-11-22T00:00"),
        ("@monthly", "2026-12-01T00:00"),
        ("@yearly", "2027-01-01T00:00"),
        ("0 9 * * 1", "2026-11-23T09:00"),
        ("0 9 * * mon-fri", "2026-11-23T09:00"),
        ("*/20 8-10 * * *", "2026-11-21T10:40"),
        ("5/20 * * * *", "2026-11-21T10:45"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 * * 7", "2026-11-22T00:00"),
        ("0 0 1 * 1", "2026-11-23T00:00"),  # both days restricted: either suffices
        ("0 0 13 nov,dec *", "2026-12-13T00:00"),
    ],
)
def test_the_next_run_is_the_one_cron_would_make(expression: str, first: str) -> None:
    assert cron.parse_schedule(expression).after(SATURDAY).isoformat()[:16] == first


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "9-5 * * * *", "*/0 * * * *",
     "a * * * *", "@never", "1,,2 * * * *", "-1 * * * *", "1.5 * * * *"],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"schedule|between|backwards"):
        cron.parse_schedule(expression)


def test_a_day_that_never_comes_is_refused() -> None:
    with pytest.raises(ValueError, match="never"):
        cron.parse_schedule("0 0 30 2 *").after(SATURDAY)
