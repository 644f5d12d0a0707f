"""Memory and time to Ready of many Instances, in each way to run, against simulated backends.

    script/bench fleet [standalone|operator|replicated…] [COUNT…]

The program is the real one with its store, its API and every reconciler of a site; what is outside is simulated in the
process, whose playbooks take 20 s and whose sites answer 20 s after that. All Instances are made at once. Replicated: three
servers on one PostgreSQL, and clients that are led to each in turn.
"""
import json
import pathlib
import statistics
import tempfile
import time
from datetime import datetime

import replicas
import stage as stages

TARGETS = ["fleet_ocim"]
PROGRAM = stages.ROOT / "build" / "tests" / "bench" / "fleet_ocim"
BACKENDS = stages.ROOT / "manifests/samples/demo"
COUNTS = (10, 100, 1000)
DEADLINE = 3600
LOOKS = 1  # s between looks whether all are Ready: each costs the server too
SETTLED = 15  # s, before memory is read: what was freed goes back to the system meanwhile
MIB = 1024
PROCESSES = {*replicas.NAMES, "api"}


def instance(number):
    return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "Instance",
            "metadata": {"name": f"site-{number}", "namespace": "campus"},
            "spec": {"className": "demo", "displayName": f"Site {number}", "subdomain": f"site-{number}",
                     "databases": {"mode": "Persistent"}}}


def prepare(stage, count):
    stage.facts.update(DOMAIN="example.test", SUBNET="10.20.0.0/24", SSH_PUBLIC_KEY="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE x",
                       REPOSITORY="https://git.example.test/playbook.git", MYSQL_HOST="10.20.0.1", AMQP_HOST="10.20.0.1",
                       HAPROXY_DIRECTORY="/srv/haproxy/conf.d", HAPROXY_CONFIG="/srv/haproxy.cfg", HAPROXY_MASTER="/srv/sock",
                       MYSQL_PORT=3306, AMQP_PORT=5672, RABBITMQ_PORT=15672, POWERDNS_PORT=8081, HTTP_PORT=8080)
    said = stage.manifests(BACKENDS / "backends") + [m for m in stage.manifests(BACKENDS) if m["kind"] == "InstanceClass"]
    for manifest in said:
        if manifest["kind"] == "Cloud":
            manifest["spec"]["maxConcurrentRuns"] = count
    stage.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "campus"}},
                stage.secret("powerdns", {"apiKey": "key"}), stage.secret("demo-ssh", {"ssh-privatekey": "key"}),
                stage.secret("mysql-admin", {"username": "admin", "password": "sesame"}),
                stage.secret("rabbitmq-admin", {"username": "admin", "password": "sesame"}), *said)


def ready_after(item):
    """Seconds from creation, to the second; None: not yet."""
    for condition in item.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            made, since = (datetime.fromisoformat(text.replace("Z", "+00:00"))
                           for text in (item["metadata"]["creationTimestamp"], condition["lastTransitionTime"]))
            return (since - made).total_seconds()
    return None


def all_ready(stage, count):
    path = "/apis/ocim.opencraft.com/v1alpha1/namespaces/campus/instances"
    listed = json.loads(stage.kubectl("get", "--raw", path, seconds=300).stdout)["items"]
    times = [ready_after(item) for item in listed]
    if len(times) == count and None not in times:
        return times
    time.sleep(LOOKS)
    return None


def memory(stage):
    """MiB of each process of Ocim: the one that runs the controllers, and the others."""
    out, others = {}, {"api": "api"}
    if isinstance(stage, replicas.ReplicatedStage):
        leader = stage.leader()
        others = {name: f"follower{n}" for n, name in enumerate((n for n in replicas.NAMES if n != leader), 1)}
    for name, process in stage.processes.items():
        if name in PROCESSES:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            out[others.get(name, "controllers")] = int(status.partition("VmRSS:")[2].split()[0]) / MIB
    return out


def processor(stage):
    """Seconds of processor that the processes have used."""
    used = 0
    for name, process in stage.processes.items():
        if name in PROCESSES:
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
            used += int(fields[11]) + int(fields[12])
    return used / 100


def counted(stage, name):
    """The sum of a counter over its labels."""
    return sum(float(line.rpartition(" ")[2]) for line in stage.metrics().splitlines() if line.startswith(name + "{"))


def one(mode, count):
    stages.MODE, stages.OCIM = mode, PROGRAM
    with tempfile.TemporaryDirectory(prefix="ocim-bench-") as folder:
        stage = replicas.stage_class()(pathlib.Path(folder) / "stage")
        try:
            stage.start_ocim()
            prepare(stage, count)
            before = memory(stage)
            began = time.monotonic()
            stage.kubectl("create", "-f", "-", seconds=900, input=json.dumps(
                {"apiVersion": "v1", "kind": "List", "items": [instance(n) for n in range(count)]}))
            declared = time.monotonic() - began
            times = stages.wait_for("every Instance is Ready", lambda: all_ready(stage, count), DEADLINE)
            took, used = time.monotonic() - began, processor(stage)
            visits = counted(stage, "controller_runtime_reconcile_total")
            time.sleep(SETTLED)
            after = memory(stage)
        finally:
            stage.lower_curtain()
    row = {"mode": mode, "instances": count, "declared_s": round(declared, 1), "median_s": statistics.median(times),
           "slowest_s": max(times), "all_ready_s": round(took, 1), "cpu_s": round(used, 1), "visits_each": round(visits / count, 1)}
    for name in after:
        row |= {f"{name}_mib": round(after[name], 1), f"{name}_kib_each": round((after[name] - before[name]) * MIB / count)}
    return row


def measure(words):
    modes = [word for word in words if not word.isdigit()] or ["standalone", "operator", "replicated"]
    return [one(mode, count) for mode in modes for count in [int(w) for w in words if w.isdigit()] or COUNTS]
