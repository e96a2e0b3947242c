import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.windows import parse_period

NOON = 1_700_049_600_000_000  # 2023-11-15 12:00 UTC
MINUTE = 60_000_000
NOW = NOON + 30_000_000


@pytest.mark.parametrize(
    ("text", "start", "end", "says"),
    [
        ("5m", NOON - 5 * MINUTE, NOW, "last 5 minutes"),
        ("1h", NOON - 60 * MINUTE, NOW, "last hour"),
        ("30d", NOON - 30 * 1440 * MINUTE, NOW, "last 30 days"),
        ("2023-11-01..2023-11-08", 1_698_796_800_000_000, 1_699_401_600_000_000,
         "2023-11-01 to 2023-11-08"),
        ("2023-11-15T10:00..2023-11-15T10:30", NOON - 120 * MINUTE, NOON - 90 * MINUTE,
         "2023-11-15 10:00 to 2023-11-15 10:30 UTC"),
        ("2023-11-15T10:00+01:00..", NOON - 180 * MINUTE, NOW,
         "2023-11-15 09:00 to 2023-11-15 12:00 UTC"),
        ("2023-11-15..2023-11-16", NOON - 720 * MINUTE, NOW,
         "2023-11-15 00:00 to 2023-11-15 12:00 UTC"),
    ],
)  # fmt: skip
def test_a_period_is_read_and_told(text, start, end, says):
    found = parse_period(text, now_us=NOW)
    assert (found.start_us, found.end_us, found.says) == (start, end, says)
    assert found.seconds == (end - start) / 1e6


@pytest.mark.parametrize(
    "text",
    ["", "1w", "4m", "401d", "yesterday", "2023-11-15..2023-11-14", "2023-13-01..", "..",
     "2023-11-16..2023-11-17", "2023-11-15T11:58..2023-11-15T12:00", "99999999999999d"],
)  # fmt: skip
def test_what_is_no_period_is_refused_with_examples(text):
    with pytest.raises(UsageError) as refused:
        parse_period(text, now_us=NOW)
    assert "2026-11-01..2026-11-08" in refused.value.next_step
