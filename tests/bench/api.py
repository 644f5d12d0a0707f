"""The API server as a process of its own under load over HTTPS: rates, latencies, start-up, memory.

Further words choose parts: start create read watch size; --seconds N for each rate. Disks and neighbours matter: see
the row about fsync, and the load in the machine's facts.
"""
import json
import pathlib
import subprocess
import sys

TARGETS = ()  # of the dev build: this is about the release build
ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build-release"


def measure(words):
    subprocess.run([ROOT / "script" / "build", "release", "ocim", "api_load"], check=True, stdout=sys.stderr)
    load = subprocess.run([BUILD / "tests" / "bench" / "api_load", "--program", BUILD / "ocim", *words],
                          stdout=subprocess.PIPE, check=False)
    if load.returncode:
        sys.exit(load.returncode)
    return json.loads(load.stdout)
