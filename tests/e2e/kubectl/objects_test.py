#!/usr/bin/python3
"""What people do with objects all day, by the real kubectl."""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import OcimTest, read_line, wait_until  # noqa: E402

RECORD = """
apiVersion: ocim.opencraft.com/v1alpha1
kind: DNSRecord
metadata: {{name: {name}}}
spec: {{zoneRef: {{name: example}}, name: {name}.example.org, type: A, values: [{value}]}}
"""


def record(name, value="192.0.2.1"):
    return RECORD.format(name=name, value=value)


class Objects(OcimTest):
    def apply(self, manifest, *flags, **options):
        return self.kubectl("apply", *flags, "-f", "-", stdin=manifest, **options)

    def get(self, name):
        return json.loads(self.kubectl("get", "dnsrecord", name, "-o", "json", "--show-managed-fields"))

    def test_apply_creates_changes_and_leaves_alone(self):
        self.assertEqual(self.apply(record("apply")), "dnsrecord.ocim.opencraft.com/apply created\n")
        self.assertEqual(self.apply(record("apply")), "dnsrecord.ocim.opencraft.com/apply unchanged\n")
        self.assertEqual(self.apply(record("apply", "192.0.2.2")),
                         "dnsrecord.ocim.opencraft.com/apply configured\n")
        stored = self.get("apply")
        self.assertEqual(stored["spec"]["values"], ["192.0.2.2"])
        self.assertEqual(stored["spec"]["ttlSeconds"], 300, "the default of the schema")
        self.assertEqual(stored["metadata"]["generation"], 2)

    def test_get_prints_the_columns_of_the_crd(self):
        self.apply(record("table"))
        self.patch_ready("table")
        header, line = self.kubectl("get", "dns", "table").splitlines()
        self.assertEqual(header.split(), ["NAME", "RECORD", "TYPE", "READY", "REASON", "AGE"])
        self.assertEqual(line.split()[:5], ["table", "table.example.org", "A", "True", "Served"])

    def patch_ready(self, name):
        status = {"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Served", "message": "",
                                             "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
        self.kubectl("patch", "dnsrecord", name, "--subresource=status", "--type=merge", "-p", json.dumps(status))

    def test_get_as_yaml_json_name_and_jsonpath(self):
        self.apply(record("forms"))
        self.assertIn("name: forms.example.org", self.kubectl("get", "dnsrecord", "forms", "-o", "yaml"))
        self.assertEqual(self.get("forms")["kind"], "DNSRecord")
        self.assertEqual(self.kubectl("get", "dns", "forms", "-o", "name"), "dnsrecord.ocim.opencraft.com/forms\n")
        self.assertEqual(self.kubectl("get", "dns", "forms", "-o", "jsonpath={.spec.type}"), "A")

    def test_get_selects_by_label_and_field(self):
        for name in "label-a", "label-b":
            self.apply(record(name))
        self.kubectl("label", "dns", "label-a", "team=blue")
        self.assertEqual(self.kubectl("get", "dns", "-l", "team=blue", "-o", "name"),
                         "dnsrecord.ocim.opencraft.com/label-a\n")
        self.assertEqual(self.kubectl("get", "dns", "-l", "team in (red)", "-o", "name"), "")
        self.assertEqual(self.kubectl("get", "dns", "--field-selector", "metadata.name=label-b", "-o", "name"),
                         "dnsrecord.ocim.opencraft.com/label-b\n")

    def test_get_watches(self):
        self.apply(record("watched"))
        watch = self.ocim.popen_kubectl("get", "dns", "watched", "-w", "-o", "jsonpath={.spec.values[0]}{\"\\n\"}")
        try:
            self.assertEqual(read_line(watch.stdout, 60, "the object as it is"), "192.0.2.1\n")
            self.apply(record("watched", "192.0.2.7"))
            self.assertEqual(read_line(watch.stdout, 60, "the change"), "192.0.2.7\n")
        finally:
            watch.kill()
            watch.communicate()

    def test_get_watches_as_a_table(self):
        watch = self.ocim.popen_kubectl("get", "dns", "-w", "-l", "row=yes")
        try:
            self.apply(record("row").replace("{name: row}", "{name: row, labels: {row: \"yes\"}}"))
            self.assertEqual(read_line(watch.stdout, 60, "the header").split()[:2], ["NAME", "RECORD"])
            self.assertEqual(read_line(watch.stdout, 60, "the row").split()[:2], ["row", "row.example.org"])
            self.kubectl("label", "dns", "row", "more=x")
            self.assertEqual(read_line(watch.stdout, 60, "the second row").split()[:1], ["row"])
        finally:
            watch.kill()
            watch.communicate()

    def test_pages(self):
        for number in range(7):
            self.kubectl("create", "configmap", f"page-{number}", "--from-literal=a=b", "-n", "kube-system")
        names = self.kubectl("get", "cm", "-n", "kube-system", "--chunk-size=3", "-o", "name").split()
        self.assertEqual(names, [f"configmap/page-{number}" for number in range(7)])

    def test_describe(self):
        self.apply(record("described"))
        text = self.kubectl("describe", "dnsrecord", "described")
        for expected in "Name:         described", "Ttl Seconds:        300", "Events:", "<none>":
            self.assertIn(expected, text)

    def test_server_side_apply_conflicts_and_is_forced(self):
        self.assertEqual(self.apply(record("ssa"), "--server-side", "--field-manager=one"),
                         "dnsrecord.ocim.opencraft.com/ssa serverside-applied\n")
        refusal = self.refused("apply", "--server-side", "--field-manager=two", "-f", "-",
                               stdin=record("ssa", "192.0.2.9"))
        self.assertIn('Apply failed with 1 conflict: conflict with "one": .spec.values', refusal)
        self.assertEqual(self.get("ssa")["spec"]["values"], ["192.0.2.1"], "a conflict stores nothing")
        self.apply(record("ssa", "192.0.2.9"), "--server-side", "--field-manager=two", "--force-conflicts")
        stored = self.get("ssa")
        self.assertEqual(stored["spec"]["values"], ["192.0.2.9"])
        owners = {entry["manager"]: "f:values" in entry["fieldsV1"]["f:spec"]
                  for entry in stored["metadata"]["managedFields"]}
        self.assertEqual(owners, {"one": False, "two": True})

    def test_server_side_apply_takes_over_from_client_side_apply(self):
        self.apply(record("migrated"))
        done = self.ocim.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", "-",
                                 stdin=record("migrated", "192.0.2.3"))
        self.assertEqual(done.stdout, "dnsrecord.ocim.opencraft.com/migrated serverside-applied\n")
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.get("migrated")["spec"]["values"], ["192.0.2.3"])

    def test_patch(self):
        self.apply(record("patched"))
        self.kubectl("patch", "dns", "patched", "--type=merge", "-p", '{"spec":{"ttlSeconds":60}}')
        self.assertEqual(self.get("patched")["spec"]["ttlSeconds"], 60)
        self.kubectl("patch", "dns", "patched", "--type=json", "-p",
                     '[{"op":"test","path":"/spec/ttlSeconds","value":60},'
                     '{"op":"replace","path":"/spec/ttlSeconds","value":61}]')
        self.assertEqual(self.get("patched")["spec"]["ttlSeconds"], 61)
        self.assertIn("testing value /spec/ttlSeconds failed",
                      self.refused("patch", "dns", "patched", "--type=json", "-p",
                                   '[{"op":"test","path":"/spec/ttlSeconds","value":60}]'))
        self.patch_ready("patched")
        stored = self.get("patched")
        self.assertEqual(stored["status"]["conditions"][0]["reason"], "Served")
        self.assertEqual(stored["metadata"]["generation"], 3, "the status does not count")
        self.assertIn("the body of the request was in an unknown format",
                      self.refused("patch", "dns", "patched", "-p", '{"spec":{"ttlSeconds":60}}'),
                      "strategic merge patches are for built-in kinds")

    def test_edit_runs_the_editor(self):
        self.apply(record("edited"))
        editor = self.ocim.home / "editor"
        editor.write_text('#!/bin/sh\nsed -i "s/ttlSeconds: 300/ttlSeconds: 42/" "$1"\n')
        editor.chmod(0o700)
        self.assertIn("edited", self.kubectl("edit", "dns", "edited", env={"EDITOR": str(editor)}))
        self.assertEqual(self.get("edited")["spec"]["ttlSeconds"], 42)

    def test_label_and_annotate(self):
        self.apply(record("marked"))
        self.kubectl("label", "dns", "marked", "a=b")
        self.kubectl("annotate", "dns", "marked", "note=some text")
        metadata = self.get("marked")["metadata"]
        self.assertEqual(metadata["labels"], {"a": "b"})
        self.assertEqual(metadata["annotations"]["note"], "some text")
        self.kubectl("label", "dns", "marked", "a-")
        self.assertNotIn("labels", self.get("marked")["metadata"])

    def test_wait_for_a_condition(self):
        self.apply(record("waited"))
        waiting = self.ocim.popen_kubectl("wait", "--for=condition=Ready", "dns/waited", "--timeout=30s")
        self.patch_ready("waited")
        output, _ = waiting.communicate(timeout=60)
        self.assertEqual((waiting.returncode, output.decode()),
                         (0, "dnsrecord.ocim.opencraft.com/waited condition met\n"))
        refusal = self.refused("wait", "--for=condition=Stalled", "dns/waited", "--timeout=1s")
        self.assertIn("timed out waiting for the condition", refusal)

    def test_wait_for_deletion(self):
        self.apply(record("going"))
        waiting = self.ocim.popen_kubectl("wait", "--for=delete", "dns/going", "--timeout=30s")
        self.kubectl("delete", "dns", "going")
        self.assertEqual(waiting.wait(60), 0)
        waiting.stdout.close()

    def test_delete(self):
        self.apply(record("deleted"))
        self.assertIn('"deleted" deleted', self.kubectl("delete", "dns", "deleted"))
        self.assertIn('dnsrecords.ocim.opencraft.com "deleted" not found', self.refused("get", "dns", "deleted"))
        for name in "all-a", "all-b":
            self.apply(record(name).replace("metadata: {", "metadata: {labels: {all: x}, "))
        self.kubectl("delete", "dns", "-l", "all=x")
        self.assertEqual(self.kubectl("get", "dns", "-l", "all=x", "-o", "name"), "")

    def test_delete_waits_for_finalizers(self):
        self.apply(record("kept").replace("metadata: {", "metadata: {finalizers: [example.org/hold], "))
        deleting = self.ocim.popen_kubectl("delete", "dns", "kept", "--timeout=40s")
        try:
            wait_until(lambda: "deletionTimestamp" in self.get("kept")["metadata"], "deletion was asked for")
            self.kubectl("patch", "dns", "kept", "--type=json", "-p",
                         '[{"op":"remove","path":"/metadata/finalizers/0"}]')
            output, _ = deleting.communicate(timeout=60)
            self.assertEqual(deleting.returncode, 0, output)
        finally:
            deleting.kill()
            deleting.communicate()

    def test_dry_run_and_diff_store_nothing(self):
        self.apply(record("dry"))
        self.apply(record("dry", "192.0.2.5"), "--dry-run=server")
        done = self.ocim.kubectl("diff", "-f", "-", stdin=record("dry", "192.0.2.5"), check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("+  - 192.0.2.5", done.stdout)
        self.assertEqual(self.get("dry")["spec"]["values"], ["192.0.2.1"])

    def test_create_built_in_kinds(self):
        self.assertEqual(self.kubectl("create", "namespace", "lab"), "namespace/lab created\n")
        self.assertEqual(self.kubectl("create", "secret", "generic", "s", "-n", "lab", "--from-literal=key=väl"),
                         "secret/s created\n")
        self.assertEqual(self.kubectl("create", "configmap", "c", "-n", "lab", "--from-literal=key=value"),
                         "configmap/c created\n")
        self.kubectl("create", "serviceaccount", "robot", "-n", "lab")
        self.assertEqual(self.kubectl("get", "secret", "s", "-n", "lab", "-o", "jsonpath={.data.key}"), "dsOkbA==")
        self.assertEqual(self.kubectl("get", "cm", "c", "-n", "lab", "-o", "jsonpath={.data.key}"), "value")
        self.assertIn("already exists", self.refused("create", "namespace", "lab"))
        self.assertIn('namespaces "absent" not found', self.refused("create", "configmap", "c", "-n", "absent"))
        # what is built in takes strategic merge patches
        self.kubectl("patch", "cm", "c", "-n", "lab", "-p", '{"data":{"more":"x"}}')
        self.assertEqual(self.kubectl("get", "cm", "c", "-n", "lab", "-o", "jsonpath={.data.more}"), "x")
        self.kubectl("delete", "namespace", "lab")
        self.assertIn("not found", self.refused("get", "namespace", "lab"))

    def test_events(self):
        self.apply(record("eventful"))
        uid = self.get("eventful")["metadata"]["uid"]
        event = {"apiVersion": "events.k8s.io/v1", "kind": "Event",
                 "metadata": {"name": "eventful.1", "namespace": "default"},
                 "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Warning", "reason": "Drifted", "action": "Repair",
                 "reportingController": "ocim.opencraft.com/dnsrecord-controller", "reportingInstance": "one",
                 "note": "the value was changed by hand",
                 "regarding": {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord", "name": "eventful",
                               "namespace": "default", "uid": uid}}
        self.kubectl("create", "-f", "-", stdin=json.dumps(event))
        table = self.kubectl("get", "events")
        self.assertRegex(table, r"(?m)^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE$")
        self.assertRegex(table, r"Warning +Drifted +dnsrecord/eventful +the value was changed by hand")
        self.assertRegex(self.kubectl("describe", "dns", "eventful"),
                         r"Warning +Drifted +.*the value was changed by hand")

    def test_auth(self):
        self.assertEqual(self.kubectl("auth", "can-i", "delete", "instances"), "yes\n")
        self.assertIn("ocim-admin", self.kubectl("auth", "whoami"))


if __name__ == "__main__":
    unittest.main()
