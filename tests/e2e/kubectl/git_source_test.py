#!/usr/bin/python3
"""A GitSource: what is pushed to a real Git server, over HTTPS, is applied by `ocim serve` as its ServiceAccount, and pruned.
With OCIM_MODE=operator by `ocim controller`, which has the rights of manifests/install."""
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parents[3] / "script")]
from operator_mode import OperatorOcim  # noqa: E402
from stage import free_port  # noqa: E402
from support import PROGRAM, ROOT, Ocim, wait_until  # noqa: E402

TOKEN = "hunter2-token"
OPERATOR = os.environ.get("OCIM_MODE") == "operator"


def config_map(name, value="1"):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}})


class Git:
    """A bare repository behind Git's http-backend, and a working copy."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="ocim-git-"))
        served, self.work = self.home / "served", self.home / "work"
        served.mkdir()
        self.git("init", "-q", "--bare", "-b", "main", str(served / "fleet.git"), at=self.home)
        self.git("init", "-q", "-b", "main", str(self.work), at=self.home)
        self.git("remote", "add", "origin", str(served / "fleet.git"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=git", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        self.home / "key", "-out", self.home / "ca"], check=True, capture_output=True)
        self.port = free_port()
        self.log = open(self.home / "log", "wb")
        self.server = subprocess.Popen([sys.executable, str(ROOT / "tests" / "support" / "git_server.py"), str(self.port),
                                        str(self.home / "ca"), str(self.home / "key"), str(served), "git:" + TOKEN],
                                       stdout=self.log, stderr=self.log)
        wait_until(self.answers, "the Git server listens")
        self.url = f"https://127.0.0.1:{self.port}/fleet.git"

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def git(self, *words, at=None):
        return subprocess.run(["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *words], cwd=at or self.work,
                              check=True, capture_output=True, text=True).stdout.strip()

    def push(self, files):
        """`files`: path -> text, None to remove it. The new commit."""
        for path, text in files.items():
            file = self.work / path
            if text is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "next")
        self.git("push", "-q", "-f", "origin", "HEAD:refs/heads/main")
        return self.git("rev-parse", "HEAD")

    def sign_as(self, who):
        """From now on commits are signed by that person's SSH key, or by nobody's. The public key."""
        self.git("config", "commit.gpgsign", "true" if who else "false")
        if not who:
            return ""
        key = self.home / f"key-of-{who}"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", key], check=True)
        self.git("config", "gpg.format", "ssh")
        self.git("config", "user.signingkey", f"{key}.pub")
        return " ".join(pathlib.Path(f"{key}.pub").read_text().split()[:2])

    def close(self):
        self.server.kill()
        self.server.wait()
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)


class GitSources(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.git = Git()
        cls.addClassCleanup(cls.git.close)
        cls.hook_port = free_port()
        hooks = ("--webhook-listen", f"127.0.0.1:{cls.hook_port}")
        cls.ocim = OperatorOcim(*hooks) if OPERATOR else Ocim(*hooks, controllers=True)
        cls.addClassCleanup(cls.ocim.close)
        cls.ocim.start()

    def setUp(self):
        """A namespace of its own, an account that may write ConfigMaps there, and a folder of the repository."""
        self.home = self.id().rsplit(".", 1)[1].removeprefix("test_").replace("_", "-")[:40].strip("-")
        kubectl = self.ocim.kubectl
        kubectl("create", "namespace", self.home)
        kubectl("-n", self.home, "create", "secret", "generic", "git", f"--from-literal=token={TOKEN}",
                f"--from-file=ca.crt={self.git.home / 'ca'}")
        kubectl("-n", self.home, "create", "serviceaccount", "fleet")
        kubectl("-n", self.home, "create", "role", "fleet", "--verb=get,create,patch,delete", "--resource=configmaps")
        kubectl("-n", self.home, "create", "rolebinding", "fleet", "--role=fleet", f"--serviceaccount={self.home}:fleet")

    def source(self, **more):
        spec = {"repository": self.git.url, "branch": "main", "path": self.home, "interval": "5s",
                "credentialsRef": {"name": "git"}, "serviceAccountName": "fleet", **more}
        spec = {field: value for field, value in spec.items() if value is not None}
        self.declared = {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "GitSource",
                         "metadata": {"name": "fleet", "namespace": self.home}, "spec": spec}
        self.apply(self.declared)

    def apply(self, item):
        self.ocim.kubectl("apply", "-f", "-", stdin=json.dumps(item))

    def push(self, files):
        commit = self.git.push({f"{self.home}/{path}": text for path, text in files.items()})
        self.look()
        return commit

    def look(self):
        self.ocim.kubectl("-n", self.home, "annotate", "gitsource", "fleet", "--overwrite",
                          f"ocim.opencraft.com/reconcile-at={time.time()}", check=False)

    def status(self):
        done = self.ocim.kubectl("-n", self.home, "get", "gitsource", "fleet", "-o", "json", check=False)
        return json.loads(done.stdout).get("status", {}) if done.returncode == 0 else {}

    def ready(self):
        return next((c for c in self.status().get("conditions", []) if c["type"] == "Ready"), {})

    def stands(self, reason):
        return wait_until(lambda: self.ready().get("reason") == reason and self.ready(), f"{reason}, not {self.ready()}")

    def applied(self, commit):
        wait_until(lambda: self.status().get("appliedCommit") == commit and self.ready().get("status") == "True",
                   f"{commit} is applied, not {self.status()}")

    def maps(self):
        """The ConfigMaps of the namespace: name -> value."""
        items = json.loads(self.ocim.kubectl("-n", self.home, "get", "configmaps", "-o", "json").stdout)["items"]
        return {item["metadata"]["name"]: item["data"]["value"] for item in items
                if item["metadata"]["name"] != "kube-root-ca.crt"}

    def uid(self, name):
        return self.ocim.kubectl("-n", self.home, "get", "configmap", name, "-o", "jsonpath={.metadata.uid}").stdout

    def test_what_is_pushed_is_applied_and_what_is_removed_is_pruned(self):
        first = self.push({"a.yaml": config_map("a") + "\n---\n" + config_map("b"), "deeper/c.json": config_map("c")})
        self.source()
        self.applied(first)
        self.assertEqual(self.maps(), {"a": "1", "b": "1", "c": "1"})
        managers = self.ocim.kubectl("-n", self.home, "get", "configmap", "a", "-o", "json", "--show-managed-fields").stdout
        self.assertIn("ocim-gitsource", managers)

        self.applied(self.push({"deeper/c.json": config_map("c", "2")}))
        self.assertEqual(self.maps()["c"], "2")

        before = self.uid("c")
        self.applied(self.push({"deeper/c.json": None, "moved.yaml": config_map("c", "2")}))
        self.assertEqual(self.uid("c"), before, "a file that is renamed deletes nothing")

        self.applied(self.push({"a.yaml": config_map("b")}))
        wait_until(lambda: "a" not in self.maps(), "it is pruned")
        self.assertEqual(self.maps(), {"b": "1", "c": "2"})
        wait_until(lambda: [e["name"] for e in self.status()["inventory"]] == ["b", "c"], "it is forgotten")

        self.ocim.kubectl("-n", self.home, "patch", "configmap", "b", "--type=merge", "-p", '{"data":{"value":"by hand"}}')
        self.look()
        wait_until(lambda: self.maps()["b"] == "1", "what is changed by hand is put right")

        self.ocim.kubectl("-n", self.home, "delete", "gitsource", "fleet", "--timeout=60s")
        self.assertEqual(self.maps(), {})

    def test_of_a_commit_with_a_bad_manifest_nothing_is_applied(self):
        first = self.push({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
        self.source()
        self.applied(first)
        bad = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}, "dota": {"x": "y"}})
        self.push({"a.yaml": config_map("a", "2"), "b.yaml": None, "z.yaml": config_map("ok") + "\n---\n" + bad})
        told = self.stands("ManifestsRefused")
        self.assertIn(f"{self.home}/z.yaml, document 2, ConfigMap {self.home}/new", told["message"])
        self.assertIn("dota", told["message"])
        self.assertEqual(self.status()["faults"][0]["document"], 2)
        self.assertEqual(self.maps(), {"a": "1", "b": "1"})
        self.assertEqual(self.status()["appliedCommit"], first)
        mended = self.push({"z.yaml": config_map("ok")})
        self.applied(mended)
        wait_until(lambda: self.maps() == {"a": "2", "ok": "1"}, "the mended commit is applied")

    def test_many_deletions_ask_first(self):
        names = [f"m{i}" for i in range(4)]
        self.applied_after = self.push({f"{name}.yaml": config_map(name) for name in names})
        self.source(maxDeletionsPerCommit=2)
        self.applied(self.applied_after)
        commit = self.push({f"{name}.yaml": None for name in names[1:]} | {"new.yaml": config_map("new")})
        told = self.stands("DeletionsNeedConfirmation")
        self.assertEqual(len(self.status()["pendingDeletions"]), 3)
        self.assertIn(commit, told["message"])
        self.assertEqual(set(self.maps()), {*names, "new"})
        command = told["message"].split("kubectl ", 1)[1].split()
        self.ocim.kubectl(*command)
        self.applied(commit)
        wait_until(lambda: set(self.maps()) == {"m0", "new"}, "what was confirmed is deleted")

    def test_nothing_happens_while_it_is_suspended(self):
        first = self.push({"a.yaml": config_map("a")})
        self.source()
        self.applied(first)
        self.source(suspend=True)
        self.stands("Suspended")
        second = self.push({"a.yaml": config_map("a", "2")})
        self.look()
        self.stands("Suspended")
        self.assertEqual(self.maps(), {"a": "1"})
        self.source(suspend=False)
        self.applied(second)
        self.assertEqual(self.maps(), {"a": "2"})

    def planned(self, *words, code):
        """What `ocim plan` says of the source as it is declared."""
        path = self.git.home / "source.json"
        path.write_text(json.dumps(self.declared))
        done = self.ocim.run(PROGRAM, "plan", "-f", str(path), "-o", "json", *words, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def test_a_plan_has_what_its_deletion_takes_along(self):
        commit = self.push({"a.json": config_map("a"), "b.json": config_map("b")})
        self.source()
        self.applied(commit)
        self.assertEqual(self.planned(code=0)["unknown"], [], "as it is declared")
        self.declared["spec"]["path"] = "elsewhere"
        (unknown,) = self.planned("--force-conflicts", code=1)["unknown"]
        self.assertEqual((unknown["object"], unknown["unreachable"]), (f"GitSource {self.home}/fleet", True))
        goes = [{"verb": "delete", "object": f"ConfigMap {self.home}/{name}", "fields": []} for name in "ab"]
        plan = self.planned("--delete", code=2)
        self.assertEqual((plan["consequences"], plan["abandoned"]), (goes, []))
        self.assertEqual(self.maps(), {"a": "1", "b": "1"}, "a plan does nothing")
        # one that is let go leaves what it applied, in the plan and then in truth
        self.ocim.kubectl("-n", self.home, "annotate", "gitsource", "fleet", "ocim.opencraft.com/abandon=true")
        plan = self.planned("--delete", code=2)
        self.assertEqual((plan["consequences"], plan["abandoned"]), ([], [f"GitSource {self.home}/fleet"]))
        self.ocim.kubectl("-n", self.home, "delete", "gitsource", "fleet")
        self.assertEqual(self.maps(), {"a": "1", "b": "1"})

    def test_an_account_without_rights_is_refused(self):
        self.push({"a.yaml": config_map("a")})
        self.source(serviceAccountName="default")
        told = self.stands("ManifestsRefused")
        self.assertIn(f"system:serviceaccount:{self.home}:default", told["message"])
        self.assertIn("forbidden", told["message"])
        self.assertEqual(self.maps(), {})

    def test_the_default_account_writes_our_kinds_in_its_namespace_only(self):
        record = {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord", "metadata": {"name": "www"},
                  "spec": {"zoneRef": {"name": "none"}, "name": "www.example.com", "type": "A", "values": ["192.0.2.1"]}}
        self.push({"record.yaml": json.dumps(record)})
        self.source(serviceAccountName=None)
        self.stands("HealthCheckPending")
        self.ocim.kubectl("-n", self.home, "get", "dnsrecord", "www")
        for other, what in ({**record, "metadata": {"name": "x", "namespace": "default"}}, "default"), (
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}, "configmaps"), (
                {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "GitSource", "metadata": {"name": "x"},
                 "spec": {"repository": "https://git.example.com/x.git"}}, "gitsources"):
            self.push({"other.yaml": json.dumps(other)})
            wait_until(lambda: self.ready().get("reason") == "ManifestsRefused" and what in self.ready()["message"],
                       f"{what} is refused")

    def test_of_a_commit_that_nobody_signed_who_may_nothing_is_applied(self):
        self.addCleanup(self.git.sign_as, None)
        first = self.push({"a.yaml": config_map("a")})
        self.source(verify={"secretRef": {"name": "signers"}})
        self.assertIn(f"the Secret {self.home}/signers does not exist", self.stands("SecretNotFound")["message"])
        ada = self.git.sign_as("ada")
        self.ocim.kubectl("-n", self.home, "create", "secret", "generic", "signers",
                          f"--from-literal=allowed_signers=ada@example.com {ada}")
        told = self.stands("SignatureRefused")
        self.assertIn(f"Nothing of main at {first} is applied: it has no signature", told["message"])
        self.assertEqual(self.maps(), {})

        second = self.push({"a.yaml": config_map("a", "2"), "b.yaml": config_map("b")})
        self.applied(second)
        self.assertEqual(self.maps(), {"a": "2", "b": "1"})
        self.assertEqual(self.status()["signedBy"], "ada@example.com")

        self.git.sign_as("mallory")
        third = self.git.push({f"{self.home}/a.yaml": config_map("a", "3"), f"{self.home}/b.yaml": None})
        told = self.stands("SignatureRefused")
        self.assertIn(f"Nothing of main at {third} is applied: it is signed with an SSH key", told["message"])
        self.assertIn("add that key there", told["message"])
        self.assertEqual(self.status()["commit"], second)
        self.ocim.kubectl("-n", self.home, "patch", "configmap", "b", "--type=merge", "-p", '{"data":{"value":"by hand"}}')
        wait_until(lambda: self.maps() == {"a": "2", "b": "1"}, "the last good commit is kept as it is there")

        self.git.sign_as("ada")
        self.applied(self.push({"a.yaml": config_map("a", "4")}))
        wait_until(lambda: self.maps() == {"a": "4"}, "a commit on top that may counts for all below it")

    def deliver(self, body, **headers):
        """What the listener for webhooks answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.hook_port, timeout=30)
        try:
            connection.request("POST", "/git", body, {name.replace("_", "-"): text for name, text in headers.items()})
            return connection.getresponse().status
        finally:
            connection.close()

    def test_a_webhook_has_the_repository_asked_at_once(self):
        first = self.git.push({f"{self.home}/a.yaml": config_map("a", "0")})
        self.ocim.kubectl("-n", self.home, "create", "secret", "generic", "hook", "--from-literal=secret=s3cr3t")
        self.source(interval="1h", webhookSecretRef={"name": "hook"})
        self.applied(first)
        push = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": "fleet"}}).encode()
        gitlab = json.dumps({"object_kind": "push", "project": {"path_with_namespace": "fleet"}}).encode()
        other = json.dumps({"repository": {"full_name": "org/other"}}).encode()

        def signed(body, secret=b"s3cr3t"):
            return hmac.new(secret, body, hashlib.sha256).hexdigest()

        for number, (body, headers) in enumerate((
                (push, {"X_GitHub_Event": "push", "X_Hub_Signature_256": "sha256=" + signed(push)}),
                (push, {"X_Gitea_Event": "push", "X_Gitea_Signature": signed(push)}),
                (gitlab, {"X_Gitlab_Event": "Push Hook", "X_Gitlab_Token": "s3cr3t"})), 1):
            commit = self.git.push({f"{self.home}/a.yaml": config_map("a", str(number))})
            self.assertEqual(self.deliver(body, **headers), 204)
            self.applied(commit)
            self.assertEqual(self.maps(), {"a": str(number)})

        asked = self.annotation()
        self.git.push({f"{self.home}/a.yaml": config_map("a", "unheard")})
        for body, headers in ((push, {}), (push, {"X_Hub_Signature_256": "sha256=" + signed(push, b"wrong")}),
                              (push, {"X_Gitea_Signature": signed(other)}), (gitlab, {"X_Gitlab_Token": "s3cr3"})):
            self.assertEqual(self.deliver(body, **headers), 401)
        for headers in {"X_Gitlab_Token": "s3cr3t"}, {"X_Gitea_Signature": signed(other)}:
            self.assertEqual(self.deliver(other, **headers), 204, "known, and about a repository that nobody listens for")
        self.assertEqual(self.deliver(b"payload=x", X_Gitlab_Token="s3cr3t"), 400)
        self.assertEqual(self.annotation(), asked, "nobody was woken")
        self.assertEqual(self.maps(), {"a": "3"})
        self.assertNotIn("s3cr3t", self.ocim.log.read_text())

    def annotation(self):
        return self.ocim.kubectl("-n", self.home, "get", "gitsource", "fleet", "-o",
                                 r"jsonpath={.metadata.annotations.ocim\.opencraft\.com/reconcile-at}").stdout

    def test_a_wrong_token_is_told_and_nothing_is_forgotten(self):
        first = self.push({"a.yaml": config_map("a")})
        self.source()
        self.applied(first)
        self.ocim.kubectl("-n", self.home, "patch", "secret", "git", "--type=merge", "-p", '{"stringData":{"token":"wrong-one"}}')
        told = self.stands("AuthenticationFailed")
        self.assertNotIn("wrong-one", json.dumps(self.status()))
        self.assertIn("look at the Secret", told["message"])
        self.assertEqual(self.maps(), {"a": "1"})
        self.assertEqual([e["name"] for e in self.status()["inventory"]], ["a"])

    @unittest.skipUnless(OPERATOR, "who serves the API asks nobody for a right")
    def test_who_may_not_act_as_others_says_what_to_grant(self):
        self.ocim.kubectl("delete", "clusterrolebinding", "ocim-controller-gitops")
        self.addCleanup(self.ocim.grant, "gitops")
        commit = self.push({"a.yaml": config_map("a")})
        self.source()
        told = self.stands("BackendAuthFailed")
        self.assertIn("whoever installed ocim has to allow: gitops.enabled=true", told["message"])
        self.assertEqual((self.status().get("faults", []), self.maps()), ([], {}), "the commit has no fault")
        self.ocim.grant("gitops")
        self.applied(commit)

    @unittest.skipUnless(OPERATOR, "who serves the API asks nobody for a right")
    def test_zz_what_was_granted_was_enough_and_used(self):
        """After the others; a role is bound with the binding, and definitions are listed when a kind is served no more."""
        acted = self.ocim.proxy.in_place_of
        self.assertLessEqual({"fleet", "default", "ocim-gitops"}, {whom.rsplit(":", 1)[1] for whom, *_ in acted})
        own = self.ocim.proxy.answers.copy()
        for (_, *call), count in acted.items():
            own[tuple(call)] -= count
        own = +own
        self.assertEqual([call for call in own if call[2] in (401, 403)], [])
        role = next(m for m in self.ocim.manifests("gitops") if m["kind"] == "ClusterRole")
        granted = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
        used = {(kind, {"GET": "get", "POST": "create"}[method]) for method, target, _ in own
                for kind in ("serviceaccounts", "rolebindings") if kind in target}
        self.assertEqual(granted - used, {("serviceaccounts", "impersonate"), ("clusterroles", "bind"),
                                          ("customresourcedefinitions", "list")})


if __name__ == "__main__":
    unittest.main()
