#!/usr/bin/python3
"""A pull request becomes a site: of a member only, where strangers' code may run only, at its newest commit as long as its
author is a member, told of on GitHub in one comment and one status a commit, and gone some time after it is closed."""
import datetime
import hashlib
import hmac
import itertools
import json
import pathlib
import tempfile
import unittest
import urllib.error
import urllib.request

from case import MODE, READY, ROOT, Scenario, free_port, wait_for

FIRST, SECOND, THIRD = "a" * 40, "b" * 40, "c" * 40
TEXT = """Please try this.\r
\r
**Settings**\r
```yaml\r
DEMO_EXTRA: "{{{{ edx_platform_repo }}}} at {{{{ edx_platform_version }}}}"\r
\r
EDXAPP_PLATFORM_NAME: "Mine now"\r
edx_ansible_source_repo: "{repository}"\r
configuration_version: "main"\r
```\r
\r
pr7.example.test should have ephemeral databases.\r
"""
SECRET = "between GitHub and us"
API = "ocim.opencraft.com/v1alpha1"


class PullRequest(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="ocim-e2e-")
        cls.stage = cls.stage_class(pathlib.Path(cls.folder.name) / "stage")
        try:
            cls.raise_what_sandboxes_need()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def raise_what_sandboxes_need(cls):
        """Sandboxes have their databases with them: neither MariaDB nor RabbitMQ is there."""
        stage = cls.stage
        stage.facts.update(DOMAIN="example.test", MYSQL_HOST="", MYSQL_PORT=3306, RABBITMQ_PORT=1, AMQP_HOST="", AMQP_PORT=1)
        stage.raise_cloud("--webhook-listen", f"127.0.0.1:{stage.port('webhook')}")
        if MODE == "operator":
            stage.start_follower("second")
        stage.start_powerdns("example.test")
        stage.start_haproxy()
        stage.start_git(stage.facts["GATEWAY"], ROOT / "manifests/samples/demo/playbook")
        cls.github_port, cls.people_port = cls.start_github("github"), cls.start_github("people")
        cls.ask(cls.people_port, organizations={"acme": {"teams": {"Operators": ["olga"]}}}, people={"olga": 9})
        cls.github(organizations={"acme": {"teams": {"Sandbox": ["ada"]}}}, people={"ada": 7, "eve": 8}, pulls={
            "acme/site#7": {"author": "ada", "sha": FIRST, "title": "A better front page for everybody", "fork": "ada/site",
                            "body": TEXT.format(repository=stage.facts["REPOSITORY"])},
            "acme/site#8": {"author": "eve", "sha": FIRST}})
        backends = stage.manifests(ROOT / "manifests/samples/demo/backends")
        demo = next(m for m in stage.manifests(ROOT / "manifests/samples/demo") if m["kind"] == "InstanceClass")["spec"]
        del demo["placement"]["mysql"], demo["placement"]["rabbitmq"]
        stage.apply(
            stage.secret("powerdns", {"apiKey": stage.facts["POWERDNS_KEY"]}),
            stage.secret("github", {"token": "token"}),
            {"apiVersion": API, "kind": "GitHubOrganization", "metadata": {"name": "acme"}, "spec": {
                "team": "Operators", "credentialsRef": {"name": "github"}, "interval": "5s",
                "apiURL": f"http://127.0.0.1:{cls.people_port}"}},
            *[m for m in backends if m["kind"] in ("DNSZone", "LoadBalancer", "MonitoringService")],
            {"apiVersion": API, "kind": "InstanceClass", "metadata": {"name": "sandbox"}, "spec": {
                **demo, "databases": {"mode": "Persistent"}, "broker": {"mode": "OnMachine"},
                "admins": {"githubOrganizations": ["acme"]},
                "configuration": {**demo["configuration"], "extraVars": {"DEMO_SHOW": ["COMMON_USER_INFO"]}}, "pullRequests": {
                    "variables": ["DEMO_EXTRA"], "configurationRepositories": [stage.facts["REPOSITORY"]]}}},
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "campus"}},
            stage.secret("github", {"token": "token"}, namespace="campus"),
            stage.secret("hook", {"secret": SECRET}, namespace="campus"),
            {"apiVersion": API, "kind": "PullRequestWatch", "metadata": {"name": "site", "namespace": "campus"}, "spec": {
                "forks": ["acme/site"], "organization": "acme", "team": "Sandbox", "credentialsRef": {"name": "github"},
                "webhookSecretRef": {"name": "hook"}, "apiURL": f"http://127.0.0.1:{cls.github_port}", "interval": "5s",
                "instanceTemplate": {"className": "sandbox"}}})

    @classmethod
    def tearDownClass(cls):
        cls.stage.lower_curtain()
        cls.folder.cleanup()

    # --- GitHub, as people and as its operators see it

    @classmethod
    def start_github(cls, name):
        port = free_port()
        cls.stage.start(name, ["/usr/bin/python3", ROOT / "tests/support/github_server.py", "--port", port,
                               "--description", ROOT / ".deps/github/api.github.com.json"])
        wait_for("GitHub answers", lambda: cls.ask(port), 60)
        return port

    @classmethod
    def github(cls, **said):
        return cls.ask(cls.github_port, **said)

    @staticmethod
    def ask(port, **said):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/_test", json.dumps({"set": said}).encode())
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return json.load(reply)
        except urllib.error.URLError:
            return None

    def comment(self):
        found = list(self.github()["comments"].values())
        self.assertLessEqual(len(found), 1, "one comment, whatever happens")
        self.assertTrue(all((c["number"], c["user"]) == (7, "ocim-bot") for c in found))
        return found[0]["body"] if found else ""

    def wait_told(self, *words):
        wait_for(f"the comment says {words}", lambda: all(word in self.comment() for word in words), READY)

    def wait_said(self, *words):
        """For what is said for a while only: it was, whether or not it still is."""
        wait_for(f"the comment said {words}",
                 lambda: any(all(word in body for word in words) for body in self.github()["said"]), READY)

    def states(self, commit):
        """What the status of a commit was, in turn; one that leads somewhere else now is told anew."""
        held = [s for s in self.github()["statuses"] if s["sha"] == commit]
        self.assertTrue(all((s["context"], s["repository"]) == ("ocim/site", "acme/site") for s in held))
        told = [(s["state"], s.get("target_url"), s.get("description")) for s in held]
        self.assertEqual(len(told), len(set(told)), "nothing is told twice")
        return [state for state, _ in itertools.groupby(s["state"] for s in held)]

    def sweeps(self):
        """How the calls of each look at everything were answered, of those that are over."""
        out = []
        for call, status in self.github()["answers"]:
            if call == "GET /user":
                out.append([])
            if out and call.startswith("GET "):
                out[-1].append(status)
        return out[:-1]

    def deliver(self, secret):
        body = json.dumps({"action": "synchronize", "repository": {"full_name": "acme/site"}}).encode()
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        # in operator mode to one that does not lead: it is passed on
        port = self.stage.port("second_webhooks") if MODE == "operator" else self.stage.webhook_port()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/github", body, {
            "Content-Type": "application/json", "X-GitHub-Event": "pull_request", "X-Hub-Signature-256": signature})
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    # --- us

    def woken(self):
        """When the last delivery made somebody look; "" when none did."""
        feed = self.stage.get("pullrequestfeed", "site", "-n", "campus")
        return feed["metadata"].get("annotations", {}).get("ocim.opencraft.com/reconcile-at", "")

    def entry(self):
        watched = self.stage.get("pullrequestwatch", "site", "-n", "campus")["status"].get("pullRequests", [])
        self.assertLessEqual({item["number"] for item in watched}, {7}, "eve is no member")
        return watched[0] if watched else {}

    def site(self):
        return self.stage.get("instance", "pr7-acme-site", "-n", "campus")

    def wait_page(self, words):
        return wait_for(f"the site says {words}", lambda: words in self.page("pr7.example.test")[1], READY)

    def test_01_not_where_strangers_code_may_not_run(self):
        wait_for("it refuses", lambda: self.condition("pullrequestwatch", "site")["reason"] == "UntrustedCodeRefused", 60)
        self.assertEqual(self.stage.get("instances", "-n", "campus")["items"], [])
        self.patch("cloud", "local", {"spec": {"local": {"allowUntrusted": True}}}, namespace=None)

    def test_02_a_pull_request_is_a_site_and_says_so(self):
        self.wait_said("is being made", FIRST, "`EDXAPP_PLATFORM_NAME`")
        self.wait_page(f"https://github.com/ada/site.git at {FIRST}")
        self.wait_told("is ready", "| Site | http", "//pr7.example.test", FIRST)
        wait_for("the status says so", lambda: self.states(FIRST) == ["pending", "success"], 60)
        self.assertEqual([i["metadata"]["name"] for i in self.stage.get("instances", "-n", "campus")["items"]],
                         ["pr7-acme-site"], "eve is no member")
        spec = self.site()["spec"]
        self.assertEqual(spec["displayName"], "PR#7: A better front page ... (ada) - ada/work (aaaaaaa)")
        address, = self.stage.get("appserver", "pr7-acme-site-1", "-n", "campus")["status"]["addresses"]
        shown = json.loads(self.ssh(address, "cat", "/opt/site/variables.json").stdout)
        self.assertEqual(shown["COMMON_USER_INFO"], [{"name": "olga", "github": True, "type": "admin"}],
                         "who belongs to the organization that the class names may log in there, and nobody else")
        self.assertEqual(spec["databases"], {"mode": "Ephemeral"}, "as its text says, not as the class does")
        self.assertEqual(spec["configuration"], {
            "repository": self.stage.facts["REPOSITORY"], "version": "main",
            "extraVars": {"DEMO_EXTRA": "{{ edx_platform_repo }} at {{ edx_platform_version }}"}})

    def test_03_whoever_is_idle_costs_nothing(self):
        wait_for("a look at what is idle is free", lambda: {304} in map(set, self.sweeps()), 60)
        seen = self.github()
        statuses = [status for call, status in seen["answers"] if call.startswith("GET ")]
        print(f"{statuses.count(200)} answers of 200, {statuses.count(304)} of 304, {seen['used']} of the quota")
        self.assertEqual(seen["paid_twice"], [], "what did not change is answered by 304")

    def test_04_a_delivery_brings_the_new_commit_if_it_is_signed(self):
        self.patch("pullrequestwatch", "site", {"spec": {"interval": "1h"}})
        wait_for("it is read anew", lambda: self.github()["paid_twice"], READY)
        self.assertEqual(self.deliver("another"), 401)
        self.assertEqual(self.woken(), "", "nobody was woken")
        self.assertEqual(self.site()["spec"]["platform"]["commit"], FIRST)
        self.github(pulls={"acme/site#7": {"sha": SECOND}})
        self.assertEqual(self.deliver(SECRET), 204)
        self.assertNotEqual(self.woken(), "")
        self.wait_said("is being made", SECOND)
        self.wait_page(f"at {SECOND}")
        self.wait_told("is ready", SECOND)
        wait_for("the status says so", lambda: self.states(SECOND) == ["pending", "success"], 60)
        self.assertEqual(self.states(FIRST), ["pending", "success"], "of the old commit nothing more is said")

    def test_05_whoever_left_the_team_deploys_nothing_more_and_is_told(self):
        self.github(organizations={"acme": {"teams": {"Sandbox": []}}}, pulls={"acme/site#7": {"sha": THIRD}})
        self.assertEqual(self.deliver(SECRET), 204)
        self.wait_told("stays as it is", "no member of the team", SECOND)
        wait_for("the status says so", lambda: self.states(THIRD) == ["error"], 60)
        # people on GitHub hear of it before our own status is written
        wait_for("our own status says so", lambda: self.entry()["state"] == "Frozen", 60)
        self.assertEqual(self.states(THIRD), ["error"], "nothing else was said of it meanwhile")
        self.assertEqual(self.site()["spec"]["platform"]["commit"], SECOND)
        self.assertEqual(self.site()["status"]["appServersMade"], 2)
        self.assertEqual(self.page("pr7.example.test")[0], 200, "the site that is there stays")

    def test_06_closed_it_stays_for_a_while_and_goes(self):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.github(pulls={"acme/site#7": {"state": "closed", "closed_at": now}})
        self.assertEqual(self.deliver(SECRET), 204)
        self.wait_told("stays for a while")
        self.assertEqual(self.page("pr7.example.test")[0], 200)
        self.patch("pullrequestwatch", "site", {"spec": {"retainAfterClose": "1s", "interval": "5s"}})
        wait_for("the site is gone", lambda: self.site() is None, READY)
        self.wait_told("was removed")
        self.assertNotIn("| Site |", self.comment())
        wait_for("the machines are gone", lambda: self.machines() == ([], []), 60)
        self.assertEqual(self.page("pr7.example.test")[0], 404)
        self.assertEqual(self.dig("pr7.example.test", "CNAME"), [])
        for kind in "appservers", "virtualmachines", "provisioningruns", "dnsrecords", "loadbalancerfragments", "monitors":
            self.assertEqual(self.stage.get(kind, "-n", "campus")["items"], [], kind)
        wait_for("our own status says so", lambda: self.entry()["state"] == "Retired", 60)
        self.assertEqual(self.github()["violations"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
