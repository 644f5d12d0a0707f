#!/usr/bin/python3
"""Who may do what, with the real kubectl: roles, bindings, tokens, reviews, quotas, and two colleagues at work."""
import base64
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import OcimTest, wait_until  # noqa: E402

INSTANCE = {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "Instance", "metadata": {"name": "demo"},
            "spec": {"className": "demo", "displayName": "Demo", "subdomain": "demo"}}


class Access(OcimTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ocim.kubectl("create", "namespace", "school")
        cls.ocim.kubectl("create", "namespace", "other")
        cls.kubeconfigs = {}

    def token_of(self, account, *words, namespace="school"):
        return self.kubectl("create", "token", account, "-n", namespace, *words).strip()

    def with_token(self, token, *words, **options):
        """A kubectl that has nothing but this token."""
        host, port = self.ocim.address()
        empty = self.ocim.home / "empty-kubeconfig"
        empty.write_text("")
        return self.ocim.kubectl("--server", f"https://{host}:{port}", "--certificate-authority",
                                 str(self.ocim.data / "pki" / "ca.crt"), "--token", token, *words,
                                 env={"KUBECONFIG": str(empty)}, check=False, **options)

    def status(self, path, token=None, method="GET", body=None, headers=None):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + token
        code, _, text = self.ocim.request(method, path, body, headers, certificate=None)
        return code, text.decode()

    # --- what Kubernetes' administrators type

    def test_roles_and_bindings_are_made(self):
        for words, listed in [
                (("create", "role", "reader", "-n", "school", "--verb=get,list", "--resource=configmaps"), "role.rbac.authorization.k8s.io/reader"),
                (("create", "clusterrole", "lister", "--verb=list", "--resource=secrets"), "clusterrole.rbac.authorization.k8s.io/lister"),
                (("create", "clusterrole", "paths", "--verb=get", "--non-resource-url=/metrics"), "clusterrole.rbac.authorization.k8s.io/paths"),
                (("create", "clusterrole", "gather", "--aggregation-rule=lab=yes"), "clusterrole.rbac.authorization.k8s.io/gather"),
                (("create", "rolebinding", "readers", "-n", "school", "--role=reader", "--user=ruth", "--group=r"), "rolebinding.rbac.authorization.k8s.io/readers"),
                (("create", "clusterrolebinding", "listers", "--clusterrole=lister", "--serviceaccount=school:robot"), "clusterrolebinding.rbac.authorization.k8s.io/listers"),
                (("create", "serviceaccount", "robot", "-n", "school"), "serviceaccount/robot"),
                (("create", "quota", "few", "-n", "other", "--hard=count/secrets=1,configmaps=3"), "resourcequota/few")]:
            made = self.kubectl(*words)
            self.assertIn("created", made)
            self.assertIn(listed.split("/")[1], made)
        role = json.loads(self.kubectl("get", "role", "reader", "-n", "school", "-o", "json"))
        self.assertEqual(role["rules"], [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}])
        self.assertEqual(self.kubectl("auth", "can-i", "list", "configmaps", "-n", "school", "--as=ruth").strip(), "yes")
        self.assertEqual(self.kubectl("auth", "can-i", "list", "configmaps", "-n", "school", "--as=x", "--as-group=r").strip(), "yes")
        no = self.ocim.kubectl("auth", "can-i", "list", "configmaps", "-n", "other", "--as=ruth", check=False)
        self.assertEqual((no.stdout.strip(), no.returncode), ("no", 1))
        robot = "system:serviceaccount:school:robot"
        self.assertEqual(self.kubectl("auth", "can-i", "list", "secrets", "-A", "--as=" + robot).strip(), "yes")
        # roleRef is for good
        refusal = self.refused("patch", "rolebinding", "readers", "-n", "school", "--type=merge", "-p",
                               '{"roleRef":{"name":"another"}}')
        self.assertIn("cannot change roleRef", refusal)
        # aggregation: rules of what the selector finds, now and later
        self.kubectl("label", "clusterrole", "lister", "lab=yes")
        rules = lambda: json.loads(self.kubectl("get", "clusterrole", "gather", "-o", "json")).get("rules")  # noqa: E731
        wait_until(lambda: rules() == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}], "it is gathered")
        self.kubectl("label", "clusterrole", "lister", "lab-")
        wait_until(lambda: not rules(), "it is gone again")

    def test_built_in_roles(self):
        names = self.kubectl("get", "clusterroles", "-o", "name")
        for name in ("cluster-admin", "admin", "edit", "view", "system:discovery", "system:basic-user", "ocim-admin",
                     "ocim-instance-manager", "ocim-viewer"):
            self.assertIn(f"clusterrole.rbac.authorization.k8s.io/{name}\n", names)
        # what is written down is what there is
        sample = pathlib.Path(__file__).resolve().parents[3] / "manifests" / "samples" / "roles.yaml"
        for role in json.loads(self.kubectl("apply", "--dry-run=server", "-f", str(sample), "-o", "json"))["items"]:
            stored = json.loads(self.kubectl("get", "clusterrole", role["metadata"]["name"], "-o", "json"))
            self.assertEqual(role["rules"], stored["rules"])
        wait_until(lambda: "instances" in self.kubectl("get", "clusterrole", "edit", "-o", "yaml"),
                   "edit holds what an instance manager may do")
        self.assertNotIn("secrets", self.kubectl("get", "clusterrole", "view", "-o", "jsonpath={.rules}"))

    def test_who_am_i(self):
        who = self.kubectl("auth", "whoami")
        self.assertIn("ocim-admin", who)
        self.assertIn("system:masters", who)
        self.kubectl("create", "serviceaccount", "me", "-n", "school")
        done = self.with_token(self.token_of("me"), "auth", "whoami", "-o", "json")
        user = json.loads(done.stdout)["status"]["userInfo"]
        self.assertEqual(user["username"], "system:serviceaccount:school:me")
        self.assertEqual(user["groups"], ["system:serviceaccounts", "system:serviceaccounts:school", "system:authenticated"])
        self.assertEqual(user["uid"], self.kubectl("get", "sa", "me", "-n", "school", "-o", "jsonpath={.metadata.uid}"))

    def test_a_list_of_what_one_may(self):
        self.kubectl("create", "rolebinding", "lena", "-n", "school", "--clusterrole=ocim-viewer", "--user=lena")
        listed = self.kubectl("auth", "can-i", "--list", "-n", "school", "--as=lena")
        self.assertRegex(listed, r"\*\.ocim\.opencraft\.com\s+\[\]\s+\[\]\s+\[get list watch\]")
        self.assertRegex(listed, r"selfsubjectaccessreviews\.authorization\.k8s\.io\s+\[\]\s+\[\]\s+\[create\]")
        self.assertRegex(listed, r"\[/version\]\s+\[\]\s+\[get\]")
        self.assertNotIn("secrets", listed)
        self.assertRegex(self.kubectl("auth", "can-i", "--list"), r"\*\.\*\s+\[\]\s+\[\]\s+\[\*\]")

    # --- two colleagues

    def test_what_colleagues_may_do(self):
        self.kubectl("create", "rolebinding", "vera", "-n", "school", "--clusterrole=ocim-viewer", "--user=vera")
        self.kubectl("create", "rolebinding", "mike", "-n", "school", "--clusterrole=ocim-instance-manager", "--user=mike")
        self.kubectl("create", "secret", "generic", "hidden", "-n", "school", "--from-literal=a=b")
        instance = json.dumps(INSTANCE)
        self.kubectl("create", "-n", "school", "-f", "-", stdin=json.dumps(INSTANCE | {"metadata": {"name": "given"}}))
        escalating = json.dumps({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                                 "metadata": {"name": "grab"}, "subjects": [{"kind": "User", "name": "mike"}],
                                 "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}})
        zone = json.dumps({"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord", "metadata": {"name": "r"},
                           "spec": {"zoneRef": {"name": "z"}, "name": "x", "type": "A", "values": ["192.0.2.1"]}})
        table = [  # words, stdin, may vera, may mike
            (("get", "instances"), None, True, True),
            (("get", "instances", "--watch", "--request-timeout=1s"), None, None, None),
            (("get", "events"), None, True, True),
            (("get", "dnsrecords"), None, True, True),
            (("get", "secrets"), None, False, False),
            (("get", "secret", "hidden"), None, False, False),
            (("get", "configmaps"), None, False, False),
            (("create", "-f", "-"), instance, False, True),
            (("apply", "--server-side", "-f", "-"), instance, False, True),
            (("label", "instance", "given", "a=b"), None, False, True),
            (("patch", "instance", "given", "--type=merge", "-p", '{"spec":{"displayName":"Demonstration"}}'), None, False, True),
            (("patch", "instance", "given", "--subresource=status", "--type=merge", "-p", '{"status":{}}'), None, False, False),
            (("create", "-f", "-"), zone, False, False),
            (("create", "-f", "-"), escalating, False, False),
            (("create", "token", "default"), None, False, False),
            (("create", "configmap", "c"), None, False, False),
            (("get", "instances", "-A"), None, False, False),
            (("get", "instances", "-n", "other"), None, False, False),
            (("get", "clouds"), None, False, False),
            (("delete", "namespace", "school"), None, False, False),
            (("delete", "instance", "given", "--wait=false"), None, False, True),
            (("delete", "instances", "--all", "--wait=false"), None, False, True),
            (("get", "--raw", "/metrics"), None, False, False),
            (("get", "--raw", "/version"), None, True, True),
        ]
        for user, column in ("vera", 2), ("mike", 3):
            for row in table:
                words, stdin, may = row[0], row[1], row[column]
                if may is None:
                    continue
                where = () if "-n" in words or "--raw" in words else ("-n", "school")
                done = self.ocim.kubectl(*words, *where, "--as=" + user, stdin=stdin, check=False)
                said = done.stdout + done.stderr
                self.assertEqual(done.returncode == 0, may, f"{user}: {' '.join(words)}: {said}")
                if not may:
                    self.assertIn("orbidden", said, f"{user}: {' '.join(words)}")
        refusal = self.refused("get", "secrets", "-n", "school", "--as=vera")
        self.assertIn('secrets is forbidden: User "vera" cannot list resource "secrets" in API group "" in the namespace "school"', refusal)
        refusal = self.refused("get", "clouds", "--as=vera")
        self.assertIn('cannot list resource "clouds" in API group "ocim.opencraft.com" at the cluster scope', refusal)

    def test_nobody_gives_away_what_he_has_not(self):
        self.kubectl("create", "role", "binder", "-n", "school", "--verb=*", "--resource=roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io")
        self.kubectl("create", "role", "small", "-n", "school", "--verb=get", "--resource=configmaps")
        self.kubectl("create", "rolebinding", "eve", "-n", "school", "--role=small", "--user=eve")
        self.kubectl("create", "role", "writer", "-n", "school", "--verb=create,update,patch,get", "--resource=roles,rolebindings")
        self.kubectl("create", "rolebinding", "eve-writes", "-n", "school", "--role=writer", "--user=eve")
        as_eve = ("-n", "school", "--as=eve")
        refusal = self.refused("create", "role", "more", "--verb=get,list", "--resource=secrets", *as_eve)
        self.assertIn('user "eve" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
                      '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}', refusal)
        self.kubectl("create", "role", "same", "--verb=get", "--resource=configmaps", *as_eve)
        self.assertIn("not currently held", self.refused(
            "patch", "role", "same", "--type=json", "-p", '[{"op":"add","path":"/rules/0/verbs/-","value":"delete"}]', *as_eve))
        self.assertIn("not currently held", self.refused("create", "rolebinding", "up", "--clusterrole=admin", "--user=eve", *as_eve))
        self.assertIn("not currently held", self.refused("create", "rolebinding", "up", "--role=binder", "--user=eve", *as_eve))
        self.kubectl("create", "rolebinding", "fine", "--role=small", "--user=ann", *as_eve)
        self.assertIn("not found", self.refused("create", "rolebinding", "none", "--role=nope", "--user=ann", *as_eve))
        # the verbs bind and escalate say otherwise
        self.kubectl("create", "role", "may-bind", "-n", "school", "--verb=bind", "--resource=roles", "--resource-name=binder")
        self.kubectl("create", "rolebinding", "eve-binds", "-n", "school", "--role=may-bind", "--user=eve")
        self.kubectl("create", "rolebinding", "up", "--role=binder", "--user=ann", *as_eve)

    # --- tokens

    def test_a_token_and_its_end(self):
        self.kubectl("create", "serviceaccount", "bot", "-n", "school")
        self.kubectl("create", "rolebinding", "bot", "-n", "school", "--clusterrole=ocim-viewer", "--serviceaccount=school:bot")
        token = self.token_of("bot", "--duration=10m")
        self.assertEqual(self.with_token(token, "get", "instances", "-n", "school").returncode, 0)
        self.assertIn('User "system:serviceaccount:school:bot" cannot list resource "secrets"',
                      self.with_token(token, "get", "secrets", "-n", "school").stderr)
        self.assertIn("may not specify a duration less than 10 minutes",
                      self.refused("create", "token", "bot", "-n", "school", "--duration=1m"))
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        self.assertEqual(claims["sub"], "system:serviceaccount:school:bot")
        self.assertEqual(claims["exp"] - claims["iat"], 600)
        self.assertEqual(claims["kubernetes.io"]["serviceaccount"]["name"], "bot")
        foreign = self.token_of("bot", "--audience=vault")
        self.assertEqual(self.status("/api", foreign)[0], 401)
        bound = self.kubectl("create", "secret", "generic", "anchor", "-n", "school") and \
            self.token_of("bot", "--bound-object-kind=Secret", "--bound-object-name=anchor")
        self.assertEqual(self.status("/api", bound)[0], 200)
        self.kubectl("delete", "secret", "anchor", "-n", "school")
        self.assertEqual(self.status("/api", bound)[0], 401)
        # whoever checks tokens for others
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": foreign, "audiences": ["vault"]}}
        answer = json.loads(self.kubectl("create", "-f", "-", "-o", "json", "--validate=false", stdin=json.dumps(review)))
        self.assertEqual((answer["status"]["authenticated"], answer["status"]["audiences"], answer["status"]["user"]["username"]),
                         (True, ["vault"], "system:serviceaccount:school:bot"))
        # the account goes, and another of the same name is another
        self.kubectl("delete", "serviceaccount", "bot", "-n", "school")
        self.assertEqual(self.status("/api", token)[0], 401)
        self.kubectl("create", "serviceaccount", "bot", "-n", "school")
        code, body = self.status("/api", token)
        self.assertEqual(code, 401)
        self.assertEqual(json.loads(body), {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                                            "message": "Unauthorized", "reason": "Unauthorized", "code": 401})

    def test_without_credentials_there_is_only_health(self):
        for path, code in [("/healthz", 200), ("/livez", 200), ("/readyz", 200), ("/version", 200), ("/api", 401), ("/apis", 401),
                           ("/openapi/v3", 401), ("/metrics", 401), ("/api/v1/namespaces", 401), ("/nowhere", 401)]:
            self.assertEqual(self.status(path)[0], code, path)
        self.assertEqual(self.status("/api", "wrong")[0], 401)

    def test_keys_for_those_who_check_tokens_themselves(self):
        document = json.loads(self.kubectl("get", "--raw", "/.well-known/openid-configuration"))
        self.assertEqual(document["id_token_signing_alg_values_supported"], ["ES256"])
        keys = json.loads(self.kubectl("get", "--raw", "/openid/v1/jwks"))["keys"]
        self.assertEqual((keys[0]["kty"], keys[0]["crv"]), ("EC", "P-256"))
        self.assertNotIn("d", keys[0], "the private half stays here")

    # --- in the place of others

    def test_only_who_may_impersonates(self):
        self.kubectl("create", "clusterrole", "impersonator", "--verb=impersonate", "--resource=users", "--resource-name=ruth")
        self.kubectl("create", "clusterrolebinding", "impersonators", "--clusterrole=impersonator", "--serviceaccount=school:actor")
        self.kubectl("create", "serviceaccount", "actor", "-n", "school")
        token = self.token_of("actor")
        self.assertEqual(json.loads(self.with_token(token, "auth", "whoami", "--as=ruth", "-o", "json").stdout)
                         ["status"]["userInfo"], {"username": "ruth", "groups": ["system:authenticated"]})
        done = self.with_token(token, "get", "--raw", "/api", "--as=root")
        self.assertIn('users "root" is forbidden: User "system:serviceaccount:school:actor" cannot impersonate resource "users" in API group "" at the cluster scope',
                      done.stderr)
        done = self.with_token(token, "get", "--raw", "/api", "--as=ruth", "--as-group=system:masters")
        self.assertIn('cannot impersonate resource "groups"', done.stderr)
        self.assertEqual(self.status("/api", token, headers={"Impersonate-Group": "x"})[0], 400)

    # --- what a namespace has and may hold

    def test_every_namespace_has_its_account(self):
        self.kubectl("create", "namespace", "fresh")
        there = lambda: self.ocim.kubectl("get", "sa", "default", "-n", "fresh", check=False).returncode == 0  # noqa: E731
        wait_until(there, "the account is made")
        self.kubectl("delete", "sa", "default", "-n", "fresh")
        wait_until(there, "the account is made again")
        self.kubectl("delete", "namespace", "fresh", "--timeout=60s")

    def test_a_quota_is_kept(self):
        self.kubectl("create", "namespace", "tight")
        self.kubectl("create", "quota", "q", "-n", "tight", "--hard=secrets=2,count/instances.ocim.opencraft.com=1,cpu=4")
        used = lambda: json.loads(self.kubectl("get", "quota", "q", "-n", "tight", "-o", "json")).get("status", {}).get("used")  # noqa: E731
        wait_until(lambda: used() == {"secrets": "0", "count/instances.ocim.opencraft.com": "0", "cpu": "0"}, "it is counted")
        for name in "a", "b":
            self.kubectl("create", "secret", "generic", name, "-n", "tight")
        wait_until(lambda: used()["secrets"] == "2", "it is counted")
        self.assertIn('secrets "c" is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=2, limited: secrets=2',
                      self.refused("create", "secret", "generic", "c", "-n", "tight"))
        self.kubectl("delete", "secret", "a", "-n", "tight")
        self.kubectl("create", "secret", "generic", "c", "-n", "tight")
        self.kubectl("create", "-n", "tight", "-f", "-", stdin=json.dumps(INSTANCE))
        second = json.dumps(INSTANCE | {"metadata": {"name": "second"}})
        self.assertIn("exceeded quota: q, requested: count/instances.ocim.opencraft.com=1",
                      self.refused("create", "-n", "tight", "-f", "-", stdin=second))
        self.kubectl("create", "configmap", "free", "-n", "tight")
        self.assertIn("must be a standard resource type or fully qualified",
                      self.refused("create", "quota", "bad", "-n", "tight", "--hard=bogus=1"))


if __name__ == "__main__":
    unittest.main()
