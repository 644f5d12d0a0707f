"""How long nobody leads in replicated mode when the leader is lost: three replicas on a real PostgreSQL, against the promise of 5 s.

    script/bench failover [TIMES]

The leader is killed, stopped (SIGSTOP), ended in order, and killed while the connections of all the others to the database break.
"""
import pathlib
import signal
import tempfile
import threading
import time

from replicas import NAMES, ReplicatedStage
from stage import wait_for

TARGETS = ["ocim"]
PROMISE = 5
DEADLINE = 50


def another(stage, before):
    """Its name, as soon as it leads; each is asked by a thread of its own, as one that stands still does not answer."""
    found = []

    def ask(name):
        while not found and time.monotonic() < end:
            if stage.leads(name):
                found.append(name)
            time.sleep(0.02)
    end = time.monotonic() + DEADLINE
    for name in NAMES:
        if name != before:
            threading.Thread(target=ask, args=(name,), daemon=True).start()
    wait_for("another leads", lambda: found, DEADLINE)


def break_connections(stage):
    stage.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ocim'")


def lose(stage, way, name):
    """Returns when the time begins to count."""
    process = stage.processes[name]
    begun = time.monotonic()
    if way == "stopped":
        process.send_signal(signal.SIGSTOP)
    elif way == "ended":
        stage.stop(name)
    else:
        stage.stop(name, signal.SIGKILL)
    if way == "killed, connections break":
        for _ in range(4):  # one every second until it would have been over
            time.sleep(0.8)
            break_connections(stage)
    return begun


def measure(words):
    rows = []
    with tempfile.TemporaryDirectory(prefix="ocim-bench-") as folder:
        stage = ReplicatedStage(pathlib.Path(folder) / "stage")
        try:
            stage.start_ocim()
            for way in ("killed", "stopped", "ended", "killed, connections break"):
                took = []
                for _ in range(int(words[0]) if words else 5):
                    leader = stage.leader()
                    begun = lose(stage, way, leader)
                    another(stage, leader)
                    took.append(time.monotonic() - begun)
                    if leader in stage.processes:
                        stage.stop(leader, signal.SIGKILL)
                    stage.start_ocim()
                rows.append({"way": way, "times": len(took), "shortest_s": round(min(took), 2), "longest_s": round(max(took), 2),
                             "promise_s": PROMISE, "kept": max(took) <= PROMISE})
        finally:
            stage.lower_curtain()
    return rows
