#!/usr/bin/python3
"""`ocim controller` with the rights of manifests/install and no others, at an authorizer that means it: nothing that it asks for is
refused while a site is made, changed and deleted, and nothing is granted that nobody asks for."""
import os
import pathlib
import subprocess
import sys
import unittest
import urllib.parse

import yaml

os.environ["OCIM_MODE"] = "operator"
ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/e2e/openedx"), str(ROOT / "tests")]
from case import READY, Scenario, Stage, wait_for  # noqa: E402
from stage import OCIM  # noqa: E402
from support.api_proxy import ApiProxy  # noqa: E402

GROUP = "ocim.opencraft.com"
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# what needs servers that are not here, and which script of ../openedx asks for it with the same rights
ELSEWHERE = {
    ("", "secrets", "update"): "tutor_test",
    **{(GROUP, kind, verb): script for kind, script in (
        ("databasescripts", "redeployment_test"), ("instances", "pull_request_test"), ("notifications", "mail_test"))
       for verb in ("get", "create", "delete")},
    # nothing of theirs is taken on before their backend was seen; ../openstack and integration tests have those
    (GROUP, "databasescripts", "patch"): "redeployment_test",
    (GROUP, "githuborganizations", "patch"): "pull_request_test",
    **{(GROUP, kind, verb): "" for kind in ("securitygroups", "storagecontainers")
       for verb in ("get", "create", "delete", "patch")},
    # a GitSource is acted on only with the right to act as others, which is in manifests/install/gitops.yaml;
    # ../kubectl/git_source_test asks for these, and for that
    **{(GROUP, "gitsources", verb): "" for verb in ("get", "list", "watch", "patch")}, (GROUP, "gitsources/status", "patch"): "",
}


class WatchedStage(Stage):
    def make_controller_account(self):
        super().make_controller_account()
        self.proxy = ApiProxy(self.kubeconfig, self.path("proxy", "x").parent, token=self.controller_token).__enter__()
        self.controller_kubeconfig = self.proxy.kubeconfig


def asked(method, target, status):
    """(group, resource, verb)s of a call, as an authorizer sees it."""
    path, _, query = target.partition("?")
    _, api, *words = path.split("/")
    group = words.pop(0) if api == "apis" else ""
    words = [urllib.parse.unquote(word) for word in words[1:]]  # without the version
    if words[0] == "namespaces" and len(words) > 2:
        words = words[2:]
    resource = "/".join([words[0], *words[2:]])
    if method == "GET":
        verb = "get" if len(words) > 1 else "watch" if "watch=true" in query else "list"
        return {(group, resource, verb)}
    created = {(group, resource, "create")} if (method, status) == ("PATCH", 201) else set()
    return {(group, resource, VERBS[method])} | created


def granted():
    roles = [m for m in yaml.safe_load_all((ROOT / "manifests/install/operator.yaml").read_text()) if m["kind"].endswith("Role")]
    assert [m["metadata"]["name"] for m in roles] == ["ocim", "ocim", "ocim-leader"]
    roles.pop()  # for everybody else
    return {(group, resource, verb) for role in roles for rule in role["rules"] for group in rule["apiGroups"]
            for resource in rule["resources"] for verb in rule["verbs"]
            if not resource.endswith("/finalizers")}  # asked of the authorizer by admission, by no call of its own


class Permissions(Scenario):
    stage_class = WatchedStage

    @classmethod
    def tearDownClass(cls):
        if hasattr(cls.stage, "proxy"):
            cls.stage.stop("ocim")
            cls.stage.proxy.__exit__()
        super().tearDownClass()

    def ours(self, kind, name, spec, namespace="campus"):
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        return {"apiVersion": f"{GROUP}/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}

    def test_01_a_site_comes_and_goes(self):
        self.declare_site()
        self.wait_ready()
        self.patch("instance", "demo", {"spec": {"deletionPolicy": "Delete"}})
        wait_for("the end of the log is kept", lambda: self.stage.get("configmap", "demo-1-log", "-n", "campus"), 60)
        self.log_is_read()
        self.stage.kubectl("delete", "instance", "demo", "-n", "campus", "--timeout=300s", seconds=READY)

    def log_is_read(self):
        """By the administrator, with a token: the controllers ask whose it is, and whether he may."""
        self.stage.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "campus"}},
                         {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "reader"},
                          "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                          "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "campus"}]})
        token = self.stage.path("token")
        token.touch(mode=0o600)
        token.write_text(self.stage.kubectl("create", "token", "reader", "-n", "campus").stdout)
        read = subprocess.run([OCIM, "logs", "appserver/demo-1", "-n", "campus", "--kubeconfig", self.stage.kubeconfig,
                               "--token-file", token], capture_output=True, text=True, timeout=60)
        self.assertEqual((read.returncode, read.stderr), (0, ""))
        self.assertIn("PLAY RECAP", read.stdout)

    def test_02_an_object_of_every_kind(self):
        """Whose backends are nowhere: they say so, and children of theirs come and go."""
        nowhere = "https://127.0.0.1:9"
        self.stage.apply(
            self.stage.secret("nobody", {"token": "x", "accessKeyId": "x", "secretAccessKey": "x", "username": "x",
                                         "password": "x"}),
            self.stage.secret("nobody", {"token": "x", "password": "x"}, namespace="campus"),
            self.ours("Cloud", "stack", {"openstack": {"authURL": nowhere, "region": "r", "network": "n",
                                                       "credentialsRef": {"name": "nobody"}}}, None),
            self.ours("MailRelay", "nowhere", {"smtp": {"host": "127.0.0.1", "port": 9}, "from": "ocim@example.com"}, None),
            self.ours("ObjectStore", "nowhere", {"s3": {"endpoint": nowhere, "region": "r"},
                                                 "credentialsRef": {"name": "nobody"}}, None),
            self.ours("GitHubOrganization", "nobody", {"credentialsRef": {"name": "nobody"}}, None))
        objects = [
            self.ours("SecurityGroup", "web", {"cloudRef": {"name": "stack"}, "name": "web", "rules": []}),
            self.ours("Notification", "hello", {"mailRelayRef": {"name": "nowhere"}, "to": ["a@example.com"],
                                                "subject": "a", "text": "b", "logRef": {"name": "demo-1-log"}}),
            self.ours("StorageContainer", "media", {"storeRef": {"name": "nowhere"}, "container": "media"}),
            self.ours("DatabaseScript", "script", {
                "serverRef": {"name": "mysql"}, "database": "none", "username": "none", "scriptID": "a",
                "passwordRef": {"name": "nobody", "key": "password"}, "statements": ["SELECT 1"]}),
            self.ours("PullRequestWatch", "watch", {
                "forks": ["example/edx-platform"], "organization": "nobody", "credentialsRef": {"name": "nobody"},
                "instanceTemplate": {"className": "demo"}}),
            self.ours("Redeployment", "none", {"dryRun": True, "patch": {"displayName": "Moved"},
                                               "selector": {"matchLabels": {"is": "nowhere"}}})]
        self.stage.apply(*objects)
        for item in objects:
            kind, name = item["kind"].lower(), item["metadata"]["name"]
            wait_for(f"{kind} {name} says how it is", lambda: self.condition(kind, name)["reason"], 60)
        wait_for("the watch has its feed", lambda: self.stage.get("pullrequestfeeds", "-n", "campus")["items"], 60)
        for item in objects:
            self.stage.kubectl("delete", item["kind"].lower(), item["metadata"]["name"], "-n", "campus", "--wait=false")
        wait_for("the watch has gone with its feed", lambda: not self.stage.get("pullrequestfeeds", "-n", "campus")["items"]
                 and self.stage.get("pullrequestwatch", "watch", "-n", "campus") is None, 120)

    def test_03_nothing_was_refused(self):
        refused = [call for call in self.stage.proxy.answers if call[2] in (401, 403)]
        self.assertEqual(refused, [])

    def test_04_nothing_is_granted_in_vain(self):
        used = set().union(*(asked(*call) for call in self.stage.proxy.answers))
        self.assertEqual(sorted(used - granted()), [], "asked for, and answered")
        self.assertEqual(sorted(granted() - used - set(ELSEWHERE)), [])
        self.assertEqual(sorted(set(ELSEWHERE) - granted()), [])


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=False)
