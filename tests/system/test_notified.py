"""Alerts reach people though receivers refuse half and the notifier is killed."""

from pathlib import Path

from tests import receivers
from tests.api.waiting import until
from tests.system import ordeal


def test_every_alert_is_told_once_on_each_channel_in_the_order_of_its_wheel(
    tmp_path: Path,
) -> None:
    """What was sent and not yet written down when it was killed comes twice, under one id."""
    outcomes = ordeal.gone_through(tmp_path / "data", alerts=40, kills=3, wheels=8)
    for outcome in outcomes.values():
        assert (outcome.alerts, outcome.out_of_order) == (40, 0)
        assert outcome.repeats <= 3 * 2  # what a channel is given at once, at each killing
        assert outcome.attempts > 60


def test_a_notifier_ends_when_it_is_asked_to_though_a_channel_never_ends_its_answer(
    tmp_path: Path,
) -> None:
    told = ordeal.Ordeal(tmp_path / "data")
    with receivers.oddity(receivers.dripping) as odd, receivers.webhook() as hook:
        told.open_channels(odd=odd.url, hook=hook.url)
        with told.running():
            told.raise_alerts(range(6), wheels=6)
            until(lambda: odd.attempts and len(hook.took) == 6, ordeal.WITHIN)
            told.stop()
