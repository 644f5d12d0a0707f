#!/usr/bin/python3
"""A real Prometheus scrapes a running Ocim that has some of everything: rules and dashboard ask for what is there."""
import http.server
import json
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

from chart import ALERTS, DASHBOARD, ROOT, metrics_in, queries, rules

sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from support import Ocim, wait_until  # noqa: E402

PAGE = (ROOT / "docs" / "metrics-and-alerts.md").read_text()
WORLD = """
apiVersion: v1
kind: Namespace
metadata: {name: campus}
---
apiVersion: v1
kind: Secret
metadata: {name: github, namespace: ocim-system}
stringData: {token: a}
---
apiVersion: v1
kind: Secret
metadata: {name: github, namespace: campus}
stringData: {token: a}
---
kind: MonitoringService
metadata: {name: builtin}
spec: {prober: {}}
---
kind: Monitor
metadata: {name: up, namespace: campus}
spec: {serviceRef: {name: builtin}, url: "https://127.0.0.1:SITE/", intervalSeconds: 1, tls: {insecureSkipVerify: true}}
---
kind: Monitor
metadata: {name: down, namespace: campus}
spec: {serviceRef: {name: builtin}, url: "http://127.0.0.1:CLOSED/", intervalSeconds: 1}
---
kind: MailRelay
metadata: {name: works}
spec: {smtp: {host: 127.0.0.1, port: MAIL}, from: ocim@example.org}
---
kind: Notification
metadata: {name: hello, namespace: campus}
spec: {mailRelayRef: {name: works}, to: [ops@example.org], subject: hello, text: hello}
---
kind: MailRelay
metadata: {name: gone}
spec: {smtp: {host: 127.0.0.1, port: CLOSED}, from: ocim@example.org}
---
kind: Notification
metadata: {name: waits, namespace: campus}
spec: {mailRelayRef: {name: gone}, to: [ops@example.org], subject: hello, text: hello}
---
kind: GitHubOrganization
metadata: {name: acme}
spec: {credentialsRef: {name: github}, apiURL: GITHUB}
---
kind: InstanceClass
metadata: {name: demo}
spec: {baseDomain: example.org, compute: {keyName: k, sshKeyRef: {name: k}}}
---
kind: Instance
metadata: {name: demo, namespace: campus}
spec: {className: demo, displayName: Demo, subdomain: demo}
---
kind: AppServer
metadata: {name: alone, namespace: campus}
spec: {instanceName: nobody}
---
kind: Redeployment
metadata: {name: dry, namespace: campus}
spec: {dryRun: true, selector: {}, patch: {displayName: Other}}
---
kind: PullRequestWatch
metadata: {name: site, namespace: campus}
spec: {forks: [acme/site], organization: acme, team: Sandbox, credentialsRef: {name: github}, apiURL: GITHUB, instanceTemplate: {className: demo}}
"""
# nothing of theirs happens in this world: a query may be right and say nothing
MAY_BE_EMPTY = {"Drift", "Time until an AppServer first ran", "Visits that failed"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Site:
    """A page over HTTPS, with a certificate for a month."""

    def __init__(self, folder):
        key, certificate = folder / "site.key", folder / "site.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                        "30", "-subj", "/CN=site", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        self.server.RequestHandlerClass.log_message = lambda *_: None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def labels_asked_for(query):
    """The labels that a query groups by or selects by."""
    grouped = [name.strip() for names in re.findall(r"\bby \(([^)]*)\)", query) for name in names.split(",")]
    selected = re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"", query)
    return set(grouped + selected)


class Prometheus(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.metrics_port, cls.port = free_port(), free_port()
        cls.ocim = Ocim("--metrics-listen", f"127.0.0.1:{cls.metrics_port}", controllers=True)
        cls.addClassCleanup(cls.ocim.close)
        cls.ocim.start()
        cls.start_prometheus()
        cls.make_world()

    @classmethod
    def start(cls, *command, **options):
        process = subprocess.Popen([*map(str, command)], **options)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.kill)
        return process

    @classmethod
    def make_world(cls):
        home = cls.ocim.home
        site = Site(home)
        cls.addClassCleanup(site.server.server_close)
        cls.addClassCleanup(site.server.shutdown)
        mail = free_port()
        (home / "mail").mkdir()
        cls.start("/usr/bin/python3", ROOT / "tests/support/mail_server.py", mail, home / "mail")
        github = cls.start("/usr/bin/python3", ROOT / "tests/support/github_server.py", "--description",
                           ROOT / ".deps/github/api.github.com.json", stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(github.stdout.close)
        address = "http://127.0.0.1:" + github.stdout.readline().strip()
        text = WORLD.replace("SITE", str(site.port)).replace("MAIL}", f"{mail}}}").replace("CLOSED", str(free_port()))
        text = text.replace("GITHUB", address).replace("---\nkind", "---\napiVersion: ocim.opencraft.com/v1alpha1\nkind")
        cls.ocim.kubectl("apply", "-f", "-", stdin=text)

    @classmethod
    def start_prometheus(cls):
        config = cls.ocim.home / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [str(ALERTS)],
            "scrape_configs": [{"job_name": "ocim", "honor_labels": True,
                                "static_configs": [{"targets": [f"127.0.0.1:{cls.metrics_port}"]}]}]}))
        with open(cls.ocim.home / "prometheus.log", "wb") as log:
            cls.start("prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{cls.port}",
                      f"--storage.tsdb.path={cls.ocim.home}/tsdb", stdout=log, stderr=log)
        wait_until(lambda: cls.said("query", query='up{job="ocim"} == 1'), "Prometheus scrapes it")

    @classmethod
    def said(cls, what, **asked):
        try:
            url = f"http://127.0.0.1:{cls.port}/api/v1/{what}?{urllib.parse.urlencode(asked)}"
            with urllib.request.urlopen(url, timeout=10) as reply:
                answer = json.load(reply)
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it starts
                return None
            raise AssertionError(f"{asked}: {error.read().decode()}") from None
        except OSError:
            return None
        assert answer["status"] == "success" and not answer.get("warnings"), answer
        return answer["data"]["result"] if what == "query" else answer["data"]

    def series(self, metric):
        return self.said("series", **{"match[]": '{__name__=~"%s(_bucket)?"}' % metric})

    def shown(self):
        """The families of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            return set(re.findall(r"^# TYPE (\S+)", reply.read().decode(), re.MULTILINE))

    def asked(self):
        yield from ((rule["alert"], rule["expr"]) for rule in rules())
        yield from queries(json.loads(DASHBOARD.read_text()))

    def wait_for_all(self):
        wanted = set().union(*(metrics_in(query) for _, query in self.asked()))
        missing = wanted
        try:
            wait_until(lambda: not (wanted - self.shown()), "every metric that is asked for is shown", 60)
        finally:
            missing = wanted - self.shown()
            if missing:
                print("not shown:", sorted(missing), file=sys.stderr)

    def test_every_metric_asked_for_exists(self):
        self.wait_for_all()

    def test_docs_name_every_metric_and_no_other(self):
        self.wait_for_all()
        table = PAGE.split("## Metrics")[1].split("## Alerts")[0]
        named = {name for cell in re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE) for name in re.findall(r"`([a-z_]+)`", cell)}
        shown = self.shown()
        self.assertEqual(shown - named, set(), "not in the docs")
        # some kinds are not in this world
        sources = "".join(path.read_text() for room in ("controller", "reconcilers") for path in (ROOT / room).rglob("*.cpp"))
        self.assertEqual({name for name in named - shown if f'"{name}"' not in sources}, set(), "not of Ocim")

    def test_labels_asked_for_exist(self):
        self.wait_for_all()

        def there(query):
            series = [one for metric in metrics_in(query) for one in self.series(metric)]
            return {"job", "instance", "le"}.union(*series)
        for name, query in self.asked():
            # a label that is empty is none for Prometheus: requests are counted without a resource at first
            labels = labels_asked_for(query)
            wait_until(lambda l=labels, q=query: l <= there(q), f"{name}: series with the labels {labels}", 20)

    def test_rules_are_evaluated_without_error(self):
        def evaluated():
            found = [rule for group in self.said("rules")["groups"] for rule in group["rules"]]
            return found if all(rule["health"] != "unknown" for rule in found) else None
        found = wait_until(evaluated, "every rule was evaluated")
        self.assertEqual({rule["name"] for rule in found}, {rule["alert"] for rule in rules()})
        self.assertEqual([(rule["name"], rule.get("lastError")) for rule in found if rule["health"] != "ok"], [])

    def test_what_is_wrong_in_this_world_is_told(self):
        def told():
            alerts = self.said("alerts")["alerts"]
            return {(a["labels"]["alertname"], a["labels"].get("namespace", ""), a["labels"].get("name", a["labels"].get("backend")))
                    for a in alerts}
        wrong = {("OcimSiteDown", "campus", "down"), ("OcimBackendDown", "", "gone"), ("OcimInstanceNotReady", "campus", "demo")}
        wait_until(lambda: wrong <= told(), f"the alerts {wrong}")
        # a backend is down until it was asked
        wait_until(lambda: not [a for a in told() if a[2] in ("up", "works", "builtin")], "no alerts about what is well")

    def test_the_dashboard_shows_something(self):
        self.wait_for_all()
        wait_until(lambda: self.said("query", query='count_over_time(up{job="ocim"}[1m]) > 5'), "some scrapes")
        dashboard = json.loads(DASHBOARD.read_text())
        empty = set()

        def full():
            nonlocal empty
            empty = {title for title, query in queries(dashboard) if not self.said("query", query=query)} - MAY_BE_EMPTY
            return not empty
        try:
            wait_until(full, "every panel shows something")
        finally:
            self.assertEqual(empty, set())
        down = next(query for title, query in queries(dashboard) if title == "Sites down")
        wait_until(lambda: self.said("query", query=down)[0]["value"][1] == "1", "one site is down")


if __name__ == "__main__":
    unittest.main()
