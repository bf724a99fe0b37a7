"""Trouble is said at once, then rarely, with a count."""

from runtime.complaint import Complaint
from runtime.limits import COMPLAINT_SECONDS


def test_the_first_time_is_said_at_once() -> None:
    assert Complaint(lambda: 0.0).due() == 1


def test_what_follows_is_counted_and_said_later() -> None:
    now = [0.0]
    complaint = Complaint(lambda: now[0])
    assert [complaint.due() for _ in range(4)] == [1, 0, 0, 0]
    now[0] = COMPLAINT_SECONDS
    assert complaint.due() == 4
    assert complaint.due() == 0
