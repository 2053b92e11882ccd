"""Groups of real threads: signals, forks and speed."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dynamo_es.grouping.groups import Groups, Work

# It needs threads that wait for each other.
pytestmark = pytest.mark.ci


class Doubling(Work[Any, Any]):
    """Doubles numbers; the first group waits until it is let go."""

    def __init__(self):
        self.go = threading.Event()
        self.groups = []

    def carry_out(self, items):
        self.groups.append(list(items))
        assert self.go.wait(20)
        return [2 * item for item in items]

    def after_interrupt(self, item):
        return None

    def left_unknown(self, item):
        return None


@pytest.fixture
def work():
    return Doubling()


def waiting(groups, count):
    """Wait until so many items wait."""
    until = time.monotonic() + 20
    while sum(len(queue.waiting) for queue in groups._busy.values()) < count:
        assert time.monotonic() < until
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def ctrl_c():
    """Let Ctrl-C interrupt, even in a process that was started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_soon(groups, count):
    """Send this process Ctrl-C once so many items wait."""

    def send():
        waiting(groups, count)
        time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_each_thread_gets_its_own_result(work):
    work.go.set()
    groups = Groups()
    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(lambda n: groups.submit("k", n, work), range(800)))
    assert results == [2 * n for n in range(800)]
    assert sorted(n for group in work.groups for n in group) == list(range(800))
    assert not groups._busy


def test_ctrl_c_ends_a_wait_and_the_others_go_on(work):
    groups = Groups()
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(groups.submit, "k", 1, work)
        waiting(groups, 0)
        while not work.groups:
            time.sleep(0.001)
        second = threads.submit(groups.submit, "k", 2, work)
        waiting(groups, 1)
        sender = interrupt_soon(groups, 2)
        with pytest.raises(KeyboardInterrupt):
            groups.submit("k", 3, work)
        sender.join()
        work.go.set()
        assert (first.result(20), second.result(20)) == (2, 4)
    assert work.groups == [[1], [2]]


def test_ctrl_c_in_a_leader_hands_its_group_on(work):
    groups = Groups()
    with ThreadPoolExecutor(3) as threads:
        others = []

        def join():
            while not work.groups:
                time.sleep(0.001)
            others.append(threads.submit(groups.submit, "k", 2, work))
            others.append(threads.submit(groups.submit, "k", 3, work))

        threads.submit(join)
        sender = interrupt_soon(groups, 2)
        with pytest.raises(KeyboardInterrupt):
            groups.submit("k", 1, work)
        sender.join()
        work.go.set()
        assert sorted(other.result(20) for other in others) == [4, 6]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_the_group_of_its_parent(work):
    groups = Groups()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(groups.submit, "k", 1, work)
        while not work.groups:
            time.sleep(0.001)
        child = os.fork()
        if child == 0:
            own = Doubling()
            own.go.set()
            os._exit(0 if groups.submit("k", 21, own) == 42 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        work.go.set()
        assert first.result(20) == 2
