#!/usr/bin/python3
"""The Helm chart, with both helms: what it renders, what it refuses, and that plain manifests and definitions are the same."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "script"))
from chart import (ALERTS, CHART, DASHBOARD, ESSENTIAL, HELM_3, HELM_4, HELMS, NOT_LINKED, ROOT, VALUES, documents, find, helm,
                   image_instructions, image_packages, libraries_of, panels, render, workload)  # noqa: E402
from replicas import ALIKE  # noqa: E402

PROGRAM = os.environ.get("OCIM") or str(ROOT / "build" / "ocim")
FULL = ROOT / "tests" / "chart" / "values" / "full.yaml"
OPERATOR = ROOT / "tests" / "chart" / "values" / "operator.yaml"
REPLICATED = ROOT / "tests" / "chart" / "values" / "replicated.yaml"

REPLICAS = "mode=replicated,replicated.storeSecretName=s,replicated.alikeSecretName=a"
# what is given, and what the refusal names
MISTAKES = [
    ("mode=cluster", "mode"),
    ("controller.port=7480", "port"),
    ("controller.replicas=0", "replicas"),
    ("controller.extraArgs[0]=local-machines", "extraArgs"),
    ("image.tagg=1", "tagg"),
    ("gitops.enabled=true", "mode"),
    ("mode=operator,gitops.serviceAccountNames[0]=Not_A_Name", "serviceAccountNames"),
    ("serve.address=127.0.0.1", "serve"),
    ("serve.tokenAuth.secretName=Not_A_Name", "secretName"),
    ("serve.extraArgs[0]=no-controllers", "extraArgs"),
    ("persistence.size=lots", "size"),
    ("service.port=0", "port"),
    ("webhooks.ingress.enabled=true", "webhooks"),
    ("webhooks.port=7443", "port"),
    ("webhooks.port=7480", "port"),
    ("serviceMonitor.interval=often", "interval"),
    ("podDisruptionBudget.minAvailable=2", "minAvailable"),
    ("mode=replicated", "replicated"),
    ("mode=replicated,replicated.storeSecretName=s", "alikeSecretName"),
    (f"{REPLICAS},replicated.replicas=0", "replicas"),
    (f"{REPLICAS},persistence.existingClaim=one", "existingClaim"),
    (f"{REPLICAS},webhooks.enabled=true", "webhooks"),
    ("networkPolicy.database.port=0", "port"),
]


def definitions():
    return [document for path in (ROOT / "crd-schemas").glob("*.yaml") for document in documents(path.read_text())]


def undescribed(schema, path=""):
    for name, field in schema.get("properties", {}).items():
        if not field.get("description") and name != "from":
            yield f"{path}.{name}"
        yield from undescribed(field, f"{path}.{name}")


class Chart(unittest.TestCase):
    maxDiff = None

    def test_lint(self):
        for name, program in HELMS.items():
            for values in VALUES:
                with self.subTest(helm=name, values=values.name):
                    helm(program, "lint", "--strict", CHART, "--values", values)

    def test_both_helms_render_the_same(self):
        for values in VALUES:
            with self.subTest(values=values.name):
                by_kind = {program: sorted(render("--values", values, program=program),
                                           key=lambda m: (m["kind"], m["metadata"]["name"])) for program in HELMS.values()}
                self.assertEqual(by_kind[HELM_3], by_kind[HELM_4])
                self.assertTrue(by_kind[HELM_4])

    def test_mistakes_are_refused(self):
        for given, named in MISTAKES:
            for name, program in HELMS.items():
                with self.subTest(helm=name, given=given):
                    done = helm(program, "template", CHART, "--set", given, check=False)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertIn(named, done.stderr)

    def test_the_last_words_name_a_host_of_the_certificate(self):
        words = helm(HELM_4, "install", "ocim", CHART, "--dry-run=client", "--namespace", "x").stdout
        notes = words[words.index("NOTES:"):]
        self.assertIn("--user ann --server https://HOST:7443", notes)
        self.assertIn("for the user ann", notes)
        self.assertRegex(notes, "HOST is where she reaches the Service.*serve.tlsNames")

    def test_the_last_words_say_where_everything_is(self):
        def said(*words):
            text = helm(HELM_4, "install", "ocim", CHART, "--dry-run=client", "--namespace", "x", *words).stdout
            return text[text.index("NOTES:"):]
        self.assertIn("in the volume of the claim data-ocim-0", said())
        replicated = said("--values", REPLICATED)
        self.assertIn("runs in x as ocim-0 and 2 more.", replicated)
        self.assertIn("the Secret ocim-store names", replicated)
        self.assertNotIn("claim", replicated)

    def test_every_value_is_described_and_checked(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        self.assertEqual(list(undescribed(schema)), [])

        def compare(values, fields, path):
            self.assertEqual(set(values), set(fields.get("properties", values)) - {"global"}, path)
            for name, value in values.items():
                if isinstance(value, dict) and fields["properties"][name].get("additionalProperties") is False:
                    compare(value, fields["properties"][name], f"{path}.{name}")
        compare(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "values")

    def test_every_flag_is_one_of_the_program(self):
        for values in VALUES:
            found = workload(render("--values", values))
            arguments = found["spec"]["template"]["spec"]["containers"][0]["args"]
            self.assertEqual(arguments[0], {"StatefulSet": "serve", "Deployment": "controller"}[found["kind"]])
            known = subprocess.run([PROGRAM, arguments[0], "--help"], capture_output=True, text=True, timeout=60,
                                   check=True).stdout
            for argument in arguments[1:]:
                self.assertIn("  " + argument.split("=")[0] + " ", known, values.name)

    def test_secrets_come_by_reference(self):
        pod = find(render("--values", FULL), "StatefulSet")["spec"]["template"]["spec"]
        arguments, mounts = pod["containers"][0]["args"], {m["name"]: m for m in pod["containers"][0]["volumeMounts"]}
        volumes = {v["name"]: v for v in pod["volumes"]}
        for flag, volume in ("--token-auth-file", "tokens"), ("--encryption-passphrase-file", "passphrase"):
            path = pathlib.Path(next(a for a in arguments if a.startswith(flag + "=")).split("=")[1])
            self.assertEqual(mounts[volume]["mountPath"], str(path.parent))
            self.assertTrue(mounts[volume]["readOnly"])
            self.assertEqual([item["path"] for item in volumes[volume]["secret"]["items"]], [path.name])

    def test_the_pod_holds_the_restricted_standard(self):
        for values in VALUES:
            found = workload(render("--values", values))
            pod = found["spec"]["template"]["spec"]
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            for container in pod["containers"] + pod.get("initContainers", []):
                self.assertEqual(container["securityContext"], {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                                "capabilities": {"drop": ["ALL"]}})
            self.assertEqual(pod["automountServiceAccountToken"], found["kind"] == "Deployment")

    def test_selectors_and_ports_meet(self):
        manifests = render("--values", FULL)
        pod = find(manifests, "StatefulSet")["spec"]["template"]
        ports = {p["name"] for p in pod["spec"]["containers"][0]["ports"]}
        labels = pod["metadata"]["labels"].items()
        services = [m for m in manifests if m["kind"] == "Service"]
        self.assertEqual(len(services), 3)
        for service in services:
            self.assertLessEqual(service["spec"]["selector"].items(), labels)
            self.assertLessEqual({p["targetPort"] for p in service["spec"]["ports"]}, ports)
        for kind in "NetworkPolicy", "PodDisruptionBudget":
            spec = find(manifests, kind)["spec"]
            self.assertLessEqual(spec.get("podSelector", spec.get("selector"))["matchLabels"].items(), labels, kind)
        metered = find(manifests, "StatefulSet")["spec"]["serviceName"]
        monitor = find(manifests, "ServiceMonitor")["spec"]
        found = [s["metadata"]["name"] for s in services
                 if monitor["selector"]["matchLabels"].items() <= s["metadata"]["labels"].items()]
        self.assertEqual(found, [metered])
        self.assertEqual(find(services, "Service", metered)["metadata"]["labels"][monitor["jobLabel"]], "ocim")

    def test_operator_mode(self):
        manifests = render("--values", OPERATOR)
        self.assertEqual({m["kind"] for m in manifests},
                         {"ClusterRole", "ClusterRoleBinding", "Deployment", "Ingress", "NetworkPolicy", "PodDisruptionBudget",
                          "Role", "RoleBinding", "Service", "ServiceAccount"})
        deployment = find(manifests, "Deployment")
        pod = deployment["spec"]["template"]
        labels, ports = pod["metadata"]["labels"].items(), {p["name"] for p in pod["spec"]["containers"][0]["ports"]}
        self.assertLessEqual(deployment["spec"]["selector"]["matchLabels"].items(), labels)
        self.assertLessEqual(find(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items(), labels)
        self.assertLessEqual(find(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items(), labels)
        self.assertEqual({p["port"] for rule in find(manifests, "NetworkPolicy")["spec"]["ingress"] for p in rule["ports"]}, ports)
        for service in (m for m in manifests if m["kind"] == "Service"):
            self.assertLessEqual(service["spec"]["selector"].items(), labels)
            self.assertLessEqual({p["targetPort"] for p in service["spec"]["ports"]}, ports)
        account = {"kind": "ServiceAccount", "name": pod["spec"]["serviceAccountName"], "namespace": "ocim-system"}
        for kind in "ClusterRole", "Role":
            bound = find(manifests, f"{kind}Binding", "ocim")
            self.assertEqual(bound["subjects"], [account])
            self.assertEqual((bound["roleRef"]["kind"], bound["roleRef"]["name"]), (kind, find(manifests, kind, "ocim")["metadata"]["name"]))
        # everybody may know where the leader is, and no more by this
        self.assertEqual(find(manifests, "Role", "ocim-leader")["rules"], [{
            "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["ocim-controller"], "verbs": ["get"]}])

    def test_pods_reach_each_other_whoever_else_may_come(self):
        policy = find(render("--set", "mode=operator", "--set-json", 'networkPolicy.api.from=[{"ipBlock":{"cidr":"10.0.0.0/8"}}]'),
                      "NetworkPolicy")
        rule = next(r for r in policy["spec"]["ingress"] if r["ports"][0]["port"] == "controller")
        self.assertEqual(rule["from"], [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"podSelector": policy["spec"]["podSelector"]}])

    def test_several_controllers_are_not_drained_at_once(self):
        for replicas, budgets in ("1", 0), ("2", 1), ("3", 1):
            manifests = render("--set", f"mode=operator,controller.replicas={replicas}")
            self.assertEqual(find(manifests, "Deployment")["spec"]["replicas"], int(replicas))
            self.assertEqual(len([m for m in manifests if m["kind"] == "PodDisruptionBudget"]), budgets, replicas)

    def test_a_budget_is_of_the_version_that_the_cluster_has(self):
        for version, wanted in (("1.20.15", "policy/v1beta1"), ("v1.20.15-gke.100", "policy/v1beta1"), ("1.21.0", "policy/v1"),
                                ("v1.21.0-eks-1", "policy/v1"), ("1.35.0", "policy/v1")):
            for name, program in HELMS.items():
                with self.subTest(helm=name, version=version):
                    manifests = render("--set", "mode=operator", "--kube-version", version, program=program)
                    self.assertEqual(find(manifests, "PodDisruptionBudget")["apiVersion"], wanted)
        refused = helm(HELM_4, "template", CHART, "--kube-version", "1.19.16", check=False)
        old = helm(HELM_4, "template", CHART, "--kube-version", "1.22.17", "--set", "crds.install=true", check=False)
        self.assertIn("kubectl apply --validate=false -f crd-schemas/", old.stderr)
        self.assertIn("chart requires kubeVersion: >=1.20.0-0", refused.stderr)

    def test_replicated_mode(self):
        manifests = render("--values", REPLICATED)
        found = find(manifests, "StatefulSet")["spec"]
        pod = found["template"]["spec"]
        container, volumes = pod["containers"][0], {v["name"]: v for v in pod["volumes"]}
        self.assertEqual((found["replicas"], found["podManagementPolicy"]), (3, "Parallel"))
        self.assertEqual(find(manifests, "Service", found["serviceName"])["spec"]["clusterIP"], "None")
        self.assertEqual(found["volumeClaimTemplates"][0]["metadata"]["name"], "data", "each has a directory of its own")
        spread = pod["topologySpreadConstraints"][0]
        self.assertEqual((spread["topologyKey"], spread["labelSelector"]), ("kubernetes.io/hostname", found["selector"]))
        budget = find(manifests, "PodDisruptionBudget")["spec"]
        self.assertEqual((budget["minAvailable"], budget["selector"]), (1, found["selector"]))
        # where the store is, from a Secret; with what password, never on a command line
        self.assertIn("--store=$(OCIM_STORE)", container["args"])
        self.assertEqual(container["env"], [{"name": "OCIM_STORE", "valueFrom": {"secretKeyRef": {"name": "ocim-store", "key": "url"}}}])
        password = next(a for a in container["args"] if a.startswith("--store-password-file=")).split("=")[1]
        mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
        self.assertEqual(password, mounts["store"] + "/password")
        self.assertEqual(volumes["store"]["secret"], {"secretName": "ocim-store", "defaultMode": 0o440}, "others cannot read it")
        self.assertEqual(volumes["alike"]["secret"]["secretName"], "ocim-alike")
        self.assertEqual({container[p]["httpGet"]["path"] for p in ("startupProbe", "readinessProbe")}, {"/readyz"})
        self.assertEqual(container["livenessProbe"]["httpGet"]["path"], "/livez")

    def test_replicas_reach_their_database_whatever_else_they_may(self):
        egress = find(render("--values", REPLICATED), "NetworkPolicy")["spec"]["egress"]
        self.assertEqual(egress[0], {"ports": [{"port": 443}]})
        self.assertEqual(egress[1]["ports"], [{"port": 5433, "protocol": "TCP"}])
        self.assertEqual(egress[1]["to"][0]["podSelector"], {"matchLabels": {"app": "postgresql"}})
        self.assertEqual({(p["port"], p["protocol"]) for p in egress[2]["ports"]}, {(53, "UDP"), (53, "TCP")})
        self.assertNotIn("to", egress[2])
        open_ = find(render("--set", REPLICAS), "NetworkPolicy")["spec"]
        self.assertEqual((open_["policyTypes"], "egress" in open_), (["Ingress"], False), "nothing is held back without rules")

    def test_each_replica_is_given_what_all_have_alike(self):
        """What the init container does, done."""
        pod = find(render("--values", REPLICATED), "StatefulSet")["spec"]["template"]["spec"]
        before, after = pod["initContainers"][0], pod["containers"][0]
        self.assertIn("--data-dir=" + next(e["value"] for e in before["env"] if e["name"] == "TO"), after["args"])
        files = {"encryption-keys": "encryption-keys", "ca.crt": "pki/ca.crt", "ca.key": "pki/ca.key",
                 "service-account.key": "pki/service-account.key", "revoked": "pki/revoked"}
        self.assertEqual(set(files.values()), {*ALIKE, "pki/revoked"}, "what replicas in tests are given")
        with tempfile.TemporaryDirectory(prefix="ocim-alike-") as folder:
            given, to = pathlib.Path(folder, "given"), pathlib.Path(folder, "data")
            given.mkdir()

            def start():
                return subprocess.run([*before["command"], *before["args"]], env=os.environ | {"FROM": str(given), "TO": str(to)},
                                      capture_output=True, text=True, timeout=60, check=False).returncode

            def had():
                return {str(p.relative_to(to)): (p.read_text(), p.stat().st_mode & 0o777) for p in to.rglob("*") if p.is_file()}
            self.assertNotEqual(start(), 0, "a Secret that lacks something lets nothing start")
            for name in files:
                if name != "revoked":
                    (given / name).write_text(name)
            self.assertEqual(start(), 0)
            self.assertEqual(had(), {path: (name, 0o600) for name, path in files.items() if name != "revoked"})
            self.assertEqual([f.stat().st_mode & 0o777 for f in (to, to / "pki")], [0o700] * 2)
            (given / "revoked").write_text("revoked")
            (given / "encryption-keys").write_text("another")
            self.assertEqual(start(), 0)
            self.assertEqual((had()["pki/revoked"][0], had()["encryption-keys"][0]), ("revoked", "another"))

    def test_every_kind_may_be_followed_and_only_what_is_made_may_be_made(self):
        plurals = {definition["spec"]["names"]["plural"] for definition in definitions()}
        role = find(render("--set", "mode=operator"), "ClusterRole")
        granted = {(resource, verb) for rule in role["rules"] if rule["apiGroups"] == ["ocim.opencraft.com"]
                   for resource in rule["resources"] for verb in rule["verbs"]}
        for verb in "list", "watch", "patch":
            self.assertEqual({r for r, v in granted if v == verb and "/" not in r}, plurals, verb)
        self.assertEqual({r for r, v in granted if v == "patch" and "/" in r}, {p + "/status" for p in plurals})
        self.assertLess({r for r, v in granted if v == "create"}, plurals)
        for rule in role["rules"]:
            self.assertNotIn("*", [*rule["apiGroups"], *rule["resources"], *rule["verbs"]])

    def test_who_may_be_acted_for_is_said(self):
        """With GitSources only, and of the accounts that are named."""
        def rules(*flags):
            manifests = render("--set", "mode=operator", *flags)
            roles = [m["rules"] for m in manifests if m["kind"] == "ClusterRole" and m["metadata"]["name"] == "ocim-controller-gitops"]
            bound = [m["subjects"] for m in manifests
                     if m["kind"] == "ClusterRoleBinding" and m["roleRef"]["name"] == "ocim-controller-gitops"]
            self.assertEqual(len(roles), len(bound))
            for subjects in bound:
                self.assertEqual(subjects, find(manifests, "ClusterRoleBinding", "ocim")["subjects"])
            return roles[0] if roles else []

        def granted(role):
            return {(resource, verb) for rule in role for resource in rule["resources"] for verb in rule["verbs"]}

        may_be = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}
        default = {("serviceaccounts", "get"), ("serviceaccounts", "create"), ("rolebindings", "get"), ("rolebindings", "create"),
                   ("clusterroles", "bind")}
        always = {("serviceaccounts", "impersonate"), ("customresourcedefinitions", "list")}
        self.assertEqual(rules(), [])
        every = rules("--set", "gitops.enabled=true")
        self.assertEqual(every[0], may_be)
        self.assertEqual(granted(every), always | default)
        some = rules("--set", "gitops.enabled=true,gitops.serviceAccountNames={fleet,apps}")
        self.assertEqual(some[0], may_be | {"resourceNames": ["fleet", "apps"]})
        self.assertEqual(granted(some), always, "the default account is not among them")
        self.assertEqual(granted(rules("--set", "gitops.enabled=true,gitops.serviceAccountNames={ocim-gitops}")), always | default)

    def test_definitions_are_ours(self):
        ours = {d["metadata"]["name"]: d for d in definitions()}
        for program in HELMS.values():
            rendered = [m for m in render("--set", "crds.install=true", program=program)
                        if m["kind"] == "CustomResourceDefinition"]
            for definition in rendered:
                self.assertEqual(definition["metadata"].pop("annotations"), {"helm.sh/resource-policy": "keep"})
            self.assertEqual({d["metadata"]["name"]: d for d in rendered}, ours)

    def test_a_package_holds_the_definitions(self):
        with tempfile.TemporaryDirectory(prefix="ocim-chart-") as folder:
            helm(HELM_4, "package", CHART, "--destination", folder)
            package = next(pathlib.Path(folder).glob("ocim-*.tgz"))
            text = helm(HELM_3, "template", package, "--set", "crds.install=true").stdout
            self.assertEqual(text.count("kind: CustomResourceDefinition\n"), len(definitions()))

    def test_alerts_and_dashboard_are_the_files(self):
        manifests = render("--values", FULL)
        self.assertEqual(find(manifests, "PrometheusRule")["spec"], yaml.safe_load(ALERTS.read_text()))
        dashboard = [m for m in manifests if m["kind"] == "ConfigMap"][0]
        self.assertEqual(dashboard["data"]["ocim.json"], DASHBOARD.read_text())

    def test_plain_manifests_are_what_the_chart_renders(self):
        with tempfile.TemporaryDirectory(prefix="ocim-install-") as folder:
            subprocess.run([ROOT / "script" / "manifests", folder], check=True, timeout=60)
            for path in sorted(pathlib.Path(folder).iterdir()):
                kept = ROOT / "manifests" / "install" / path.name
                self.assertEqual(kept.read_text(), path.read_text(), f"{kept.name}: run script/manifests")
            self.assertEqual({p.name for p in pathlib.Path(folder).iterdir()},
                             {p.name for p in (ROOT / "manifests" / "install").iterdir()})


class Image(unittest.TestCase):
    """What is quickly seen of it; image_test.py builds and runs it."""

    def test_it_has_what_the_program_is_linked_with(self):
        packages, libraries = image_packages(), libraries_of(PROGRAM)
        places = [place for library in libraries for place in (library, "/usr" + library)]  # /lib is a link to /usr/lib
        found = subprocess.run(["dpkg", "-S", *places], capture_output=True, text=True, check=False, timeout=60).stdout
        owners = {(pathlib.Path(path).name, package.split(":")[0])
                  for package, path in (line.rsplit(": ", 1) for line in found.splitlines())}
        for library in libraries:
            mine = {package for name, package in owners if name == pathlib.Path(library).name}
            self.assertTrue(mine & (packages | ESSENTIAL), f"{library} of {mine}: add its package to the Dockerfile")
        used = {package for _, package in owners} | set(NOT_LINKED)
        self.assertEqual(packages - used, set(), "nothing is linked with these")

    def test_chart_and_image_name_the_same_user_and_places(self):
        words = dict(image_instructions())
        pod = find(render(), "StatefulSet")["spec"]["template"]["spec"]
        context = pod["securityContext"]
        self.assertEqual(words["USER"], f"{context['runAsUser']}:{context['runAsGroup']}")
        self.assertLessEqual(set(json.loads(words["CMD"])), set(pod["containers"][0]["args"]))
        self.assertIn(words["VOLUME"], [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]])
        self.assertEqual(words["EXPOSE"].split(), [str(port["containerPort"]) for port in pod["containers"][0]["ports"]])


class Dashboard(unittest.TestCase):
    def setUp(self):
        self.panels = list(panels(json.loads(DASHBOARD.read_text())))

    def test_ids_are_unique(self):
        ids = [panel["id"] for panel in self.panels]
        self.assertEqual(len(ids), len(set(ids)))

    def test_panels_do_not_overlap(self):
        taken = {}
        for panel in self.panels:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            for x in range(at["x"], at["x"] + at["w"]):
                for y in range(at["y"], at["y"] + at["h"]):
                    self.assertNotIn((x, y), taken, f"{panel['title']} and {taken.get((x, y))}")
                    taken[x, y] = panel["title"]

    def test_each_panel_asks_something(self):
        for panel in self.panels:
            if panel["type"] != "row":
                self.assertTrue(panel["targets"], panel["title"])
                self.assertEqual(panel["datasource"]["uid"], "${datasource}", panel["title"])


if __name__ == "__main__":
    unittest.main()
