"""What the tests of the chart share: the chart, both helms, and what it renders."""
import functools
import pathlib
import re
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "ocim"
ALERTS = CHART / "files" / "alerts.yaml"
DASHBOARD = CHART / "files" / "dashboard.json"
VALUES = sorted((ROOT / "tests" / "chart" / "values").glob("*.yaml"))
HELM_3, HELM_4 = str(ROOT / ".deps/helm-3/helm"), str(ROOT / ".deps/helm-4/helm")
HELMS = {"Helm 3": HELM_3, "Helm 4": HELM_4}
# packages of the image that the program is not linked with: why they are there
NOT_LINKED = {"ca-certificates": "whom to trust", "curl": "the health check", "libcurl4": "mail, loaded when first sent",
              "libmongoc-1.0-0": "MongoDB, loaded when one is first spoken to",
              "gpgv": "who signed a commit", "openssh-client": "the same, by ssh-keygen"}
ESSENTIAL = {"libc6", "libgcc-s1", "libstdc++6", "zlib1g"}  # in every Debian
METRIC = re.compile(r"\b(?:ocim|leader_election|workqueue|controller_runtime|apiserver|rest_client)_[a-z_]+\b")


def helm(program, *words, check=True):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)
    if check and done.returncode:
        raise AssertionError(f"helm {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def documents(text):
    """Those of a YAML text, read by libyaml: the definitions alone are 600 KB."""
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


@functools.cache
def rendered(program, *words):
    return helm(program, "template", "ocim", CHART, "--namespace", "ocim-system", *words).stdout


def render(*words, program=HELM_4):
    """The manifests that the chart renders."""
    return documents(rendered(program, *words))


def find(manifests, kind, name=None):
    found = [m for m in manifests if m["kind"] == kind and name in (None, m["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def workload(manifests):
    """What has the pods."""
    found = [m for m in manifests if m["kind"] in ("StatefulSet", "Deployment")]
    assert len(found) == 1, found
    return found[0]


def rules():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(dashboard):
    """(panel's title, query) with Grafana's variables filled in."""
    filled = {"$job": "ocim", "$__rate_interval": "10m"}
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            query = target["expr"]
            for variable, value in filled.items():
                query = query.replace(variable, value)
            yield panel["title"], query


def metrics_in(query):
    """The metrics that a query reads, by the names of their families."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in METRIC.findall(query)}


def image_instructions():
    """(word, rest) of the Dockerfile's last stage."""
    stage = []
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text())
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            word, rest = line.split(None, 1)
            stage = [(word, rest)] if word == "FROM" else [*stage, (word, rest)]
    return stage


def image_packages():
    texts = [re.search(r"--no-install-recommends ([^&]*)", rest)[1] for word, rest in image_instructions() if word == "RUN"]
    return set(" ".join(texts).split())


def libraries_of(program):
    """What a program is linked with: where each is."""
    def said(*words):
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    places = dict(re.findall(r"(\S+) => (\S+)", said("ldd", program)))
    return [places[name] for name in re.findall(r"NEEDED\s+(\S+)", said("objdump", "-p", program)) if name in places]
