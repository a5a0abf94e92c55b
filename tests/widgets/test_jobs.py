"""Background work: delivered in the right thread, dropped when stale, never lost silently."""

from __future__ import annotations

import threading

import pytest
from reviewer_widgets.jobs import Jobs

from reviewer.errors import CancelledError, InputError


def test_work_runs_beside_and_its_result_arrives_in_the_thread_of_the_window(jobs):
    seen = []
    jobs.run(
        "add",
        lambda progress: (threading.current_thread(), 1 + 2),
        lambda result: seen.append((threading.current_thread(), *result)),
    )
    assert not jobs.idle
    assert jobs.wait()
    (delivered_in, worked_in, value) = seen[0]
    assert value == 3
    assert delivered_in is threading.main_thread()
    assert worked_in is not threading.main_thread()


def test_a_newer_job_of_the_same_key_makes_the_older_stale(jobs):
    started, go = threading.Event(), threading.Event()
    results, noticed = [], []

    def slow(progress):
        started.set()
        go.wait(10)
        noticed.append(progress.cancelled())
        return "old"

    jobs.run("old", slow, results.append, key="dvh")
    assert started.wait(10)
    jobs.run("new", lambda progress: "new", results.append, key="dvh")
    go.set()
    assert jobs.wait()
    assert results == ["new"]
    assert noticed == [True]


def test_jobs_of_other_keys_do_not_disturb_each_other(jobs):
    results = []
    for name in "abc":
        jobs.run(name, lambda progress, name=name: name, results.append, key=name)
    assert jobs.wait()
    assert sorted(results) == ["a", "b", "c"]


def test_an_exception_reaches_its_own_handler_or_the_strip(jobs):
    mine, strip = [], []
    jobs.failed.connect(lambda label, error: strip.append((label, str(error))))

    def bad(progress):
        raise InputError("the dose has no units", where="RD.dcm")

    jobs.run("one", bad, pytest.fail, mine.append)
    jobs.run("two", bad, pytest.fail)
    assert jobs.wait()
    assert [str(e) for e in mine] == ["RD.dcm: the dose has no units"]
    assert strip == [("two", "RD.dcm: the dose has no units")]


def test_cancelling_is_not_an_error(jobs):
    strip = []
    jobs.failed.connect(lambda *args: strip.append(args))

    def stopped(progress):
        raise CancelledError()

    jobs.run("stop", stopped, pytest.fail)
    assert jobs.wait()
    assert strip == []


def test_a_job_that_a_result_leads_to_is_waited_for(jobs):
    results = []
    jobs.run("first", lambda p: 1, lambda r: jobs.run("second", lambda p: r + 1, results.append))
    assert jobs.wait()
    assert results == [2]


def test_progress_is_told(jobs):
    told = []
    reported, go = threading.Event(), threading.Event()

    def work(progress):
        progress.report(0.25, "plane 3 of 12")
        reported.set()
        go.wait(10)

    jobs.run("read", work, lambda r: None)
    jobs.changed.connect(lambda: told.extend((j.progress.fraction, j.progress.text) for j in jobs.running))
    assert reported.wait(10)
    jobs._pass_on()
    go.set()
    assert jobs.wait()
    assert (0.25, "plane 3 of 12") in told


def test_closing_joins_every_thread_and_delivers_nothing(qapp):
    others = set(threading.enumerate())
    pool = Jobs()
    results = []
    for _ in range(8):
        pool.run("x", lambda p: 1, results.append)
    pool.close()
    qapp.processEvents()
    assert results == []
    assert pool.run("late", lambda p: 1, results.append).progress.cancelled()
    assert pool.idle
    assert not [t for t in set(threading.enumerate()) - others if t.name.startswith("job")]
