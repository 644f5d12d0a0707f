#!/usr/bin/python3
"""`ocim get`, `apply`, `delete`, `wait`, `pause`, `resume` and `orphans`, beside the real kubectl on the same server: the
same words, the same tables, the same exit codes."""
import json
import os
import pathlib
import pty
import re
import subprocess
import sys
import unittest

import yaml

TESTS = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "support")]
from api_proxy import ApiProxy  # noqa: E402
from support import PROGRAM, OcimTest, read_line, wait_until  # noqa: E402

RECORD = """
apiVersion: ocim.opencraft.com/v1alpha1
kind: DNSRecord
metadata: {{name: {name}, labels: {{team: {team}}}}}
spec: {{zoneRef: {{name: example}}, name: {name}.example.org, type: A, values: [{value}]}}
"""
AGES = re.compile(r"\b\d+[smh](\d+s)?$", re.M)
ZONE = """
apiVersion: ocim.opencraft.com/v1alpha1
kind: DNSZone
metadata: {name: example}
spec: {domain: example.org, credentialsRef: {name: none}, gandi: {}}
"""


def record(name, value="192.0.2.1", team="blue"):
    return RECORD.format(name=name, value=value, team=team)


class CommandLine(OcimTest):
    def ours(self, *words, **options):
        """A process of ours that succeeds: its output."""
        return self.ocim.run(PROGRAM, *words, **options).stdout

    def fails(self, *words, code=1, **options):
        """One that does not: what it complains of."""
        done = self.ocim.run(PROGRAM, *words, check=False, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr

    def same(self, *words):
        """Both say the same on stdout, and end alike; what they said."""
        theirs = self.ocim.kubectl(*words, check=False)
        ours = self.ocim.run(PROGRAM, *words, check=False)
        self.assertEqual(AGES.sub("age", ours.stdout), AGES.sub("age", theirs.stdout), words)
        self.assertEqual(ours.returncode, theirs.returncode, words)
        return ours

    def make(self, name, **fields):
        self.kubectl("apply", "-f", "-", stdin=record(name, **fields))

    def set_ready(self, name, status="True"):
        said = {"status": {"conditions": [{"type": "Ready", "status": status, "reason": "Served", "message": "all is well",
                                           "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}]}}
        self.kubectl("patch", "dnsrecord", name, "--subresource=status", "--type=merge", "-p", json.dumps(said))

    # --- get

    def test_get_prints_what_kubectl_prints(self):
        for name in "get-a", "get-b-with-a-longer-name":
            self.make(name)
        self.set_ready("get-a")
        self.kubectl("create", "configmap", "settings", "--from-literal=a=<b>")
        for words in (["dns"], ["dnsrecords"], ["dnsrecord.ocim.opencraft.com"], ["DNSRecord"], ["dns", "-A"],
                      ["dns", "-o", "wide"], ["dns", "get-a"], ["dns/get-a"], ["dns", "get-a", "get-b-with-a-longer-name"],
                      ["dns/get-a", "cm/settings"], ["dns,cm"], ["dns", "--no-headers"], ["dns", "-l", "team=blue"],
                      ["dns", "-l", "team=red"], ["ns"], ["crd"], ["dns", "-o", "name"], ["dns/get-a", "-o", "json"],
                      ["dns", "-o", "json"], ["dns,cm", "-o", "name"], ["dns", "--field-selector", "metadata.name=get-a"],
                      ["cm", "-n", "kube-system"], ["-A", "-o", "name", "secrets"]):
            with self.subTest(words=words):
                self.same("get", *words)

    def test_get_as_yaml_is_what_kubectl_means(self):
        self.make("yaml")
        read = [subprocess.run(["/usr/bin/python3", "-c", "import yaml,sys,json; print(json.dumps(yaml.safe_load(sys.stdin),"
                                "sort_keys=True,default=str))"], input=text, capture_output=True, text=True, check=True).stdout
                for text in (self.kubectl("get", "dns/yaml", "-o", "yaml"), self.ours("get", "dns/yaml", "-o", "yaml"))]
        self.assertEqual(read[0], read[1])

    def test_get_of_what_is_not_there(self):
        done = self.same("get", "dns", "nobody")
        self.assertEqual(done.stderr, 'Error from server (NotFound): dnsrecords.ocim.opencraft.com "nobody" not found\n')
        self.assertEqual(self.ours("get", "dns", "nobody", "--ignore-not-found"), "")
        done = self.same("get", "dns", "-n", "empty")
        self.assertEqual(done.stderr, "No resources found in empty namespace.\n")
        self.assertIn('the server doesn\'t have a resource type "nonsense"', self.fails("get", "nonsense"))
        self.make("there")
        done = self.same("get", "dns", "there", "nobody")
        self.assertIn("NotFound", done.stderr)
        self.assertIn("there.example.org", done.stdout)

    def test_get_watches(self):
        self.make("watched", team="watchers")
        process = subprocess.Popen([PROGRAM, "get", "dns", "-w", "-l", "team=watchers"], stdout=subprocess.PIPE,
                                   env=self.ocim.environment)
        try:
            self.assertEqual(read_line(process.stdout, 60, "the header").split()[:2], ["NAME", "RECORD"])
            self.assertEqual(read_line(process.stdout, 60, "the row").split()[0], "watched")
            self.set_ready("watched")
            self.assertIn("Served", read_line(process.stdout, 60, "the change"))
        finally:
            process.kill()
            process.communicate()

    def on_terminal(self, *words, environment=(), stdin=None):
        """What a process of ours writes on a terminal that it has for both, and how it ends."""
        master, slave = pty.openpty()
        process = subprocess.Popen([PROGRAM, *words], stdin=subprocess.PIPE, stdout=slave, stderr=slave,
                                   env=self.ocim.environment | {"TERM": "xterm"} | dict(environment))
        os.close(slave)
        process.stdin.write((stdin or "").encode())
        process.stdin.close()
        said = b""
        try:
            while part := os.read(master, 4096):
                said += part
        except OSError:
            pass  # it has ended
        os.close(master)
        return process.wait(60), said.decode()

    def test_a_plan_is_painted_on_terminals_only(self):
        words, given = ("plan", "-f", "-"), record("planned")
        bold, green, erased = "\x1b[1m", "\x1b[32m+\x1b[0m", "\r\x1b[K"
        code, said = self.on_terminal(*words, stdin=given)
        self.assertIn(code, (1, 2), said)
        for sign in bold, green, erased + "reading secrets", erased + "looking at the backends":
            self.assertIn(sign, said)
        self.assertTrue(said.split(erased)[-1].startswith(bold), "the line of progress is gone before the plan")
        # without colours, but told what it does
        code, said = self.on_terminal(*words, stdin=given, environment={"NO_COLOR": "1"})
        self.assertIn(erased, said)
        self.assertEqual(re.findall("\x1b\\[[0-9;]*m", said), [])
        self.assertIn("+ DNSRecord default/planned", said)
        self.assertIn(bold, self.on_terminal(*words, stdin=given, environment={"NO_COLOR": ""})[1], "empty is not set")
        self.assertNotIn("\x1b", self.on_terminal(*words, stdin=given, environment={"TERM": "dumb"})[1])
        # into a pipe, and for programs
        done = self.ocim.run(PROGRAM, *words, stdin=given, check=False)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        code, said = self.on_terminal(*words, "-o", "json", stdin=given)
        self.assertEqual(json.loads(said.split(erased)[-1])["declared"][0]["object"], "DNSRecord default/planned")

    def test_a_plan_reads_the_secrets_that_are_named(self):
        """Of others it sees that they are there: their data stay where they are."""
        self.kubectl("create", "secret", "generic", "plan-named", "--from-literal=a=1", "-n", "ocim-system")
        self.kubectl("create", "secret", "generic", "plan-of-others", "--from-literal=a=1")
        zone = ZONE.replace("example", "planned").replace("none", "plan-named")
        with ApiProxy(self.ocim.data / "kubeconfig") as proxy:
            for output in "json", "yaml":
                done = self.ocim.run(PROGRAM, "plan", "-f", "-", "-o", output, "--kubeconfig", str(proxy.kubeconfig), stdin=zone,
                                     check=False)
                self.assertIn(done.returncode, (0, 1, 2), done.stderr)
                self.assertEqual(yaml.safe_load(done.stdout)["declared"][0]["object"], "DNSZone planned")
            asked = {target.partition("?")[0]: count for (_, target, _), count in proxy.answers.items() if "/secrets" in target}
        self.assertEqual({a: n for a, n in asked.items() if "plan-" in a}, {"/api/v1/namespaces/ocim-system/secrets/plan-named": 2})
        self.assertEqual(asked["/api/v1/secrets"], 2, "and a list of their metadata")

    def test_colours_and_progress_are_for_terminals(self):
        self.make("coloured")
        self.set_ready("coloured", "False")
        words = [PROGRAM, "wait", "--for=condition=Ready", "dns/coloured", "--timeout=1s"]
        self.assertNotIn("\x1b", self.fails(*words[1:]))
        master, slave = pty.openpty()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=slave, env=self.ocim.environment)
        os.close(slave)
        said = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:
                break
            if not part:
                break
            said += part
        os.close(master)
        self.assertEqual(process.wait(60), 1)
        self.assertIn(b"waiting for dnsrecord.ocim.opencraft.com/coloured: Served: all is well", said)

    # --- apply

    def test_apply_creates_changes_and_leaves_alone(self):
        apply = ["apply", "-f", "-"]
        self.assertEqual(self.ours(*apply, stdin=record("applied")), "dnsrecord.ocim.opencraft.com/applied created\n")
        self.assertEqual(self.ours(*apply, stdin=record("applied")), "dnsrecord.ocim.opencraft.com/applied unchanged\n")
        dry = self.ours(*apply, "--dry-run=server", stdin=record("applied", "192.0.2.9"))
        self.assertEqual(dry, "dnsrecord.ocim.opencraft.com/applied configured (server dry run)\n")
        self.assertEqual(self.values("applied"), ["192.0.2.1"], "a dry run stores nothing")
        self.assertEqual(self.ours(*apply, stdin=record("applied", "192.0.2.2")),
                         "dnsrecord.ocim.opencraft.com/applied configured\n")
        self.assertEqual(self.values("applied"), ["192.0.2.2"])

    def values(self, name):
        return json.loads(self.kubectl("get", "dns", name, "-o", "json"))["spec"]["values"]

    def test_apply_conflicts_and_is_forced(self):
        self.kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=record("fought"))
        refusal = self.fails("apply", "-f", "-", stdin=record("fought", "192.0.2.3"))
        self.assertIn('Error from server (Conflict): Apply failed with 1 conflict: conflict with "other": .spec.values',
                      refusal)
        self.assertIn("--force-conflicts", refusal)
        self.assertEqual(self.values("fought"), ["192.0.2.1"])
        self.ours("apply", "--force-conflicts", "-f", "-", stdin=record("fought", "192.0.2.3"))
        self.assertEqual(self.values("fought"), ["192.0.2.3"])

    def test_apply_reads_directories_and_goes_on_after_a_refusal(self):
        folder = self.ocim.home / "manifests"
        (folder / "below").mkdir(parents=True)
        (folder / "1.yaml").write_text(record("dir-1") + "---\n" + record("dir-2"))
        (folder / "2.json").write_text(json.dumps({"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord",
                                                   "metadata": {"name": "bad"}, "spec": {"type": "Z"}}))
        (folder / "3.yml").write_text(record("dir-3"))
        (folder / "note.txt").write_text("not: a manifest")
        (folder / "below" / "4.yaml").write_text(record("dir-4"))
        done = self.ocim.run(PROGRAM, "apply", "-f", str(folder), check=False)
        self.assertEqual((done.returncode, [line.split("/")[1] for line in done.stdout.splitlines()]),
                         (1, ["dir-1 created", "dir-2 created", "dir-3 created"]))
        self.assertIn("spec.type", done.stderr)
        (folder / "2.json").unlink()
        self.assertIn("dir-4 created", self.ours("apply", "-R", "-f", str(folder)))
        self.assertIn("does not exist", self.fails("apply", "-f", str(folder / "none")))
        self.assertIn("field not declared in schema", self.fails("apply", "-f", "-", stdin=record("typo").replace("values", "value")))

    # --- delete

    def test_delete_says_what_kubectl_says_and_waits(self):
        self.make("gone-a")
        theirs = self.kubectl("delete", "dns", "gone-a")
        self.make("gone-a")
        self.assertEqual(self.ours("delete", "dns", "gone-a"), theirs)
        self.assertIn("NotFound", self.fails("delete", "dns", "gone-a"))
        self.ours("delete", "dns", "gone-a", "--ignore-not-found")
        for name in "all-a", "all-b":
            self.make(name, team="leaving")
        self.assertEqual(len(self.ours("delete", "dns", "-l", "team=leaving").splitlines()), 2)
        self.assertIn("say which ones", self.fails("delete", "dns"))

    def test_delete_waits_for_finalizers(self):
        self.kubectl("apply", "-f", "-", stdin=record("held").replace("metadata: {", "metadata: {finalizers: [example.org/hold], "))
        self.assertIn("timed out", self.fails("delete", "dns/held", "--timeout=1s"))
        process = subprocess.Popen([PROGRAM, "delete", "dns/held"], stdout=subprocess.PIPE, env=self.ocim.environment)
        try:
            read_line(process.stdout, 60, "it is deleted")
            self.assertIsNone(process.poll(), "it waits")
            self.kubectl("patch", "dns", "held", "--type=json", "-p", '[{"op":"remove","path":"/metadata/finalizers/0"}]')
            self.assertEqual(process.wait(60), 0)
        finally:
            process.kill()
            process.communicate()

    # --- wait

    def test_wait(self):
        self.make("awaited")
        process = subprocess.Popen([PROGRAM, "wait", "--for=condition=ready", "dns/awaited"], stdout=subprocess.PIPE, text=True,
                                   env=self.ocim.environment)
        self.set_ready("awaited")
        said, _ = process.communicate(timeout=60)
        self.assertEqual((process.returncode, said), (0, "dnsrecord.ocim.opencraft.com/awaited condition met\n"))
        self.same("wait", "--for=condition=Ready", "dns/awaited")
        self.same("wait", "--for=jsonpath={.spec.type}=A", "dns/awaited")
        self.same("wait", "--for=condition=Stalled", "dns/awaited", "--timeout=1s")
        self.same("wait", "--for=condition=Ready", "dns/nobody")
        self.same("wait", "--for=delete", "dns/nobody")
        self.kubectl("patch", "dns", "awaited", "--type=merge", "-p", '{"spec":{"ttlSeconds":60}}')
        self.assertIn("timed out", self.fails("wait", "--for=condition=Ready", "dns/awaited", "--timeout=0s"))

    # --- pause, resume, orphans

    def test_pause_and_resume(self):
        self.make("paused", team="pausing")
        annotations = lambda: json.loads(self.kubectl("get", "dns/paused", "-o", "json"))["metadata"]["annotations"]
        name = "dnsrecord.ocim.opencraft.com/paused "
        self.assertEqual(self.ours("pause", "dns/paused"), name + "paused\n")
        self.assertEqual(annotations()["ocim.opencraft.com/paused"], "true")
        self.assertEqual(self.ours("pause", "dns/paused"), name + "paused already\n")
        self.assertEqual(self.ours("resume", "dns", "-l", "team=pausing"), name + "resumed\n")
        self.assertNotIn("ocim.opencraft.com/paused", annotations())
        self.assertIn("NotFound", self.fails("pause", "dns/nobody"))

    def test_orphans(self):
        self.kubectl("apply", "-f", "-", stdin=ZONE)
        self.kubectl("patch", "dnszone", "example", "--subresource=status", "--type=merge", "-p",
                     '{"status":{"orphans":1,"lastObserved":"2026-01-01T00:00:00Z"}}')
        zone = json.loads(self.kubectl("get", "dnszone", "example", "-o", "json"))
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "example.1", "namespace": "default"},
                 "involvedObject": {"apiVersion": zone["apiVersion"], "kind": "DNSZone", "name": "example",
                                    "uid": zone["metadata"]["uid"]},
                 "reason": "OrphanFound", "message": "Something of ours has no object any more", "type": "Warning"}
        self.kubectl("create", "-f", "-", stdin=json.dumps(event))
        said = self.ours("orphans")
        self.assertRegex(said, r"(?m)^dnszone.ocim.opencraft.com/example +1 +Report +\S+ +\d+d ago$")
        self.assertRegex(said, r"(?m)^  \d+s ago +Something of ours has no object any more$")
        self.assertEqual(self.ours("orphans", "-o", "name"), "dnszone.ocim.opencraft.com/example\n")
        # each is one line, and what else was said of them too; nothing of other Events
        self.kubectl("create", "-f", "-", stdin=json.dumps(event | {
            "metadata": {"name": "example.2", "namespace": "default"}, "message": "Another of ours:\nin two lines",
            "firstTimestamp": "2026-01-02T00:00:00Z"}))
        self.kubectl("create", "-f", "-", stdin=json.dumps(event | {
            "metadata": {"name": "example.3", "namespace": "default"}, "reason": "Probed", "message": "it answers"}))
        lines = self.ours("orphans").split("example:\n")[1].splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[0], r"^  \d+d ago +Another of ours: in two lines$", "the oldest first")
        found = json.loads(self.ours("orphans", "-o", "json"))["backends"]
        self.assertEqual([(b["backend"], b["orphans"], b["action"], len(b["events"])) for b in found],
                         [("dnszone.ocim.opencraft.com/example", 1, "Report", 2)])
        self.assertEqual(found[0]["events"][0], {"reason": "OrphanFound", "message": "Another of ours:\nin two lines",
                                                 "firstSeen": "2026-01-02T00:00:00Z"})
        self.assertEqual(yaml.safe_load(self.ours("orphans", "-o", "yaml"))["backends"], found)
        self.assertIn("give json, yaml or name", self.fails("orphans", "-o", "wide", code=2))

    # --- what all have in common

    def test_kubeconfig_and_context(self):
        self.assertIn("has no context", self.fails("get", "dns", "--context", "none"))
        self.assertIn("not there or empty", self.fails("get", "dns", "--kubeconfig", "/nowhere"))
        text = (self.ocim.data / "kubeconfig").read_text()
        other = self.ocim.home / "two"
        document = json.loads(self.kubectl("config", "view", "--raw", "-o", "json"))
        context = document["contexts"][0]
        document["contexts"].append({"name": "elsewhere", "context": context["context"] | {"namespace": "kube-system"}})
        other.write_text(json.dumps(document))
        self.assertTrue(text)
        done = self.ocim.run(PROGRAM, "get", "dns", "--kubeconfig", str(other), "--context", "elsewhere")
        self.assertEqual(done.stderr, "No resources found in kube-system namespace.\n")

    def test_who_may_not_is_told_so(self):
        config = self.ocim.home / "ada"
        config.write_text(self.ours("kubeconfig", "--user", "ada", "--data-dir", str(self.ocim.data)))
        self.assertIn('Error from server (Forbidden): dnsrecords.ocim.opencraft.com is forbidden: User "ada"',
                      self.fails("get", "dns", "--kubeconfig", str(config)))

    def test_help_of_every_command_shows_its_examples(self):
        listed = self.ours("--help").split("Commands:\n")[1].split("\n\n")[0]
        names = [line.split()[0] for line in listed.splitlines()]
        self.assertEqual(names, sorted(names))
        for name in names:
            text = self.ours(name, "--help")
            self.assertEqual(text, self.ours("help", name))
            self.assertIn("Usage:\n  ocim " + name, text)
            self.assertIn("-h, --help", text)
        self.assertIn("unknown flag --nope", self.fails("get", "dns", "--nope", code=2))

    @unittest.skipUnless(os.geteuid() == 0, "takes shared memory away from a process")
    def test_nobody_else_speaks_on_stderr(self):
        # a library that is linked with starts itself, and says so when it has no shared memory
        without = ("--mount", "sh", "-c", 'mount -t tmpfs -o ro none /dev/shm && exec "$@"', "sh", PROGRAM)
        self.make("quiet")
        for words in ("--help",), ("get", "dns"), ("explain-status", "dns/quiet"), ("doctor", "--help"):
            with self.subTest(words=words):
                self.assertEqual(self.ocim.run("unshare", *without, *words).stderr, "")


if __name__ == "__main__":
    unittest.main()
