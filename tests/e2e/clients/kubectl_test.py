#!/usr/bin/python3
"""The oldest and the newest kubectl that is promised to work, each doing the same."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import ClientTest, KUBECTL_OLD, main  # noqa: E402


def record(name, **spec):
    wanted = {"zoneRef": {"name": "example"}, "name": f"{name}.example.org", "type": "A", "values": ["192.0.2.1"]}
    return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord", "metadata": {"name": name},
            "spec": wanted | spec}


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def list_of(*items):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


class Operations:
    """What each version is asked to do."""

    def send(self, verb, manifest, *flags, **options):
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return self.client(verb, *flags, "-f", "-", stdin=text, **options)

    def test_list(self):
        """apply, create and delete of kind: List"""
        both = list_of(config_map("listed", a="1"), record("listed"))
        names = ["configmap/listed", "dnsrecord.ocim.opencraft.com/listed"]
        for verb, said in ("apply", "created"), ("apply", "unchanged"):
            self.assertEqual(self.send(verb, both).splitlines(), [f"{name} {said}" for name in names])
        self.send("delete", both)
        self.assertEqual(self.send("create", both).splitlines(), [f"{name} created" for name in names])
        self.send("delete", both)
        self.assertEqual(self.client("get", "configmap/listed", "dnsrecord/listed", "--ignore-not-found"), "")

    def test_list_with_mistakes(self):
        """a mistake in a List is refused before anything is sent"""
        for reason, wrong, expected in [
                ("unknown field of a kind of ours", record("typo", valves=["192.0.2.1"]),
                 'ValidationError(DNSRecord.spec): unknown field "valves" in com.opencraft.ocim.v1alpha1.DNSRecord.spec'),
                ("wrong type", record("typo", ttlSeconds="60"),
                 'ValidationError(DNSRecord.spec.ttlSeconds): invalid type for com.opencraft.ocim.v1alpha1.DNSRecord.'
                 'spec.ttlSeconds: got "string", expected "integer"'),
                ("unknown field of metadata", record("typo") | {"metadata": {"name": "typo", "lables": {}}},
                 'ValidationError(DNSRecord.metadata): unknown field "lables"'),
                ("unknown field of a built-in kind", config_map("typo") | {"dta": {}},
                 'ValidationError(ConfigMap): unknown field "dta" in io.k8s.api.core.v1.ConfigMap')]:
            with self.subTest(reason):
                both = list_of(config_map("beside", a="1"), wrong)
                self.assertIn(expected, self.client_refused("apply", "-f", "-", stdin=both))
                self.assertEqual(self.client("get", "configmap/beside", "--ignore-not-found"), "")


class Old(Operations, ClientTest):
    CLIENT = "kubectl 1.20"
    PROGRAM = KUBECTL_OLD


class New(Operations, ClientTest):
    CLIENT = "kubectl 1.35"


if __name__ == "__main__":
    main()
