"""How long a declared Instance takes to be Ready and served: the demo, against its promise of 60 s. Needs root.

    script/bench ready [TIMES]
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from stage import ROOT, Stage, wait_for

TARGETS = ["ocim"]
PROMISE = 60
DEADLINE = 600


def ready(stage):
    instance = stage.get("instance", "demo", "-n", "campus") or {}
    return any(c["type"] == "Ready" and c["status"] == "True" for c in instance.get("status", {}).get("conditions", []))


def served(stage):
    host, port = f"demo.{stage.facts['DOMAIN']}", stage.facts["HTTP_PORT"]
    return subprocess.run(["curl", "-sS", "--fail", "--max-time", "5", "--resolve", f"{host}:{port}:127.0.0.1",
                           f"http://{host}:{port}/"], capture_output=True).returncode == 0


def measure(words):
    if os.geteuid() != 0:
        sys.exit("script/bench ready makes lightweight machines on this host, which needs root.")
    rows = []
    for turn in range(int(words[0]) if words else 1):
        with tempfile.TemporaryDirectory(prefix="ocim-bench-") as folder:
            stage = Stage(pathlib.Path(folder) / "stage")
            try:
                stage.raise_curtain()
                began = time.monotonic()
                stage.apply(*stage.manifests(ROOT / "manifests/samples/demo"))
                wait_for("the Instance is Ready", lambda: ready(stage), DEADLINE)
                took = time.monotonic() - began
                wait_for("its page is served", lambda: served(stage), DEADLINE)
                page = time.monotonic() - began
            finally:
                stage.lower_curtain()
        rows.append({"turn": turn + 1, "ready_s": round(took, 2), "served_s": round(page, 2), "promise_s": PROMISE,
                     "kept": took <= PROMISE})
    return rows
