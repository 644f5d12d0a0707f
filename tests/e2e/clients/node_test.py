#!/usr/bin/python3
"""The official JavaScript client and its informers."""
import json
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import CLIENT_NODE, ClientTest, main  # noqa: E402
from support import read_line  # noqa: E402

SCRIPT = str(pathlib.Path(__file__).resolve().parent / "node_client.mjs")
PACKAGE = CLIENT_NODE / "node_modules" / "@kubernetes" / "client-node"
VERSION = json.loads((PACKAGE / "package.json").read_text())["version"]


class Informer:
    """A running informer, and the lines that it prints."""

    def __init__(self, ocim, words):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ocim.environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def next(self, *ignored, what="the informer says something"):
        """The next thing it says that does not begin with one of `ignored`."""
        end = time.monotonic() + 60
        while True:
            said = json.loads(read_line(self.process.stdout, max(0.0, end - time.monotonic()), what))
            if said[0] not in ignored:
                return said

    def say(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()


class Node(ClientTest):
    CLIENT = f"client-node {VERSION}"

    def words(self, operation, namespace="default"):
        return ["node", SCRIPT, str(PACKAGE / "dist" / "index.js"), operation, namespace]

    def said(self, operation):
        return json.loads(self.ocim.run(*self.words(operation), seconds=120).stdout)

    def config_map(self, name, **data):
        return json.dumps({"apiVersion": "v1", "kind": "ConfigMap",
                           "metadata": {"name": name, "labels": {"informed": "yes"}}, "data": data})

    def apply(self, manifest, namespace):
        self.kubectl("apply", "-n", namespace, "-f", "-", stdin=manifest)

    def test_built_in(self):
        """create, replace, conflict, patch, delete of a built-in kind"""
        self.assertEqual(self.said("builtIn"), [{"a": "2"}, 409, {"a": "2", "b": "3"}, 404])

    def test_custom(self):
        """create, patch, list, delete of a kind of ours"""
        self.assertEqual(self.said("custom"), [61, 422, True])

    def test_apply(self):
        """the object API: server-side apply, read"""
        self.assertEqual(self.said("apply"), ["js", 300])

    def test_watch(self):
        """watch from a list on"""
        self.assertEqual(self.said("watch"), [["ADDED", "seen"], ["DELETED", "seen"]])

    def test_informer(self):
        """informer of a built-in kind with a selector: add, update, delete, list"""
        self.kubectl("create", "namespace", "informed")
        self.apply(self.config_map("there", a="1"), "informed")
        with Informer(self.ocim, self.words("informBuiltIn", "informed")) as informer:
            self.assertEqual(informer.next("connected"), ["add", "there", "1"])
            self.apply(self.config_map("later", a="1"), "informed")
            self.assertEqual(informer.next("connected"), ["add", "later", "1"])
            self.apply(self.config_map("later", a="2"), "informed")
            self.assertEqual(informer.next(), ["update", "later", "2"])
            self.kubectl("label", "cm", "later", "-n", "informed", "informed-")
            self.assertEqual(informer.next(), ["delete", "later", "2"])
            informer.say("list")
            self.assertEqual(informer.next(), ["listed", ["there"]])
            informer.say("stop")
            self.assertEqual(informer.process.wait(30), 0)

    def test_informer_through_a_restart(self):
        """informer of a kind of ours goes on after the server was killed and started again"""
        record = {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord", "metadata": {"name": "kept"},
                  "spec": {"zoneRef": {"name": "example"}, "name": "kept.example.org", "type": "A",
                           "values": ["192.0.2.1"]}}
        self.kubectl("create", "namespace", "restarted")
        self.apply(json.dumps(record), "restarted")
        with Informer(self.ocim, self.words("informOurs", "restarted")) as informer:
            self.assertEqual(informer.next("connected"), ["add", "kept", 300])
            host, port = self.ocim.address()
            self.ocim.kill()
            self.ocim.start("--listen", f"{host}:{port}")
            record["spec"]["ttlSeconds"] = 61
            self.apply(json.dumps(record), "restarted")
            self.assertEqual(informer.next("connected", "error"), ["update", "kept", 61])
            self.kubectl("delete", "dns", "kept", "-n", "restarted")
            self.assertEqual(informer.next("connected", "error"), ["delete", "kept", 61])


if __name__ == "__main__":
    main()
