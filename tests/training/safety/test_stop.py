import os
import signal

import pytest

from minigpt.training.safety.stop import StopFlag

hang_up = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")


@pytest.mark.parametrize("number", StopFlag.SIGNALS)
def test_a_signal_sets_the_flag_and_gives_the_next_one_back(number):
    before = signal.getsignal(number)
    with StopFlag() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested and signal.getsignal(number) == before


@hang_up
def test_a_closed_terminal_asks_to_stop_and_under_nohup_it_does_not():
    assert signal.SIGHUP in StopFlag.SIGNALS
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with StopFlag() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.requested
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
