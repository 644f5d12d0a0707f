#!/usr/bin/python3
"""Watches on the wire: what comes, in which order, how they end, and that nothing is lost on the way."""
import contextlib
import http.client
import json
import pathlib
import socket
import ssl
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import OcimTest, wait_until  # noqa: E402

MAPS = "/api/v1/namespaces/{}/configmaps"
END = {"k8s.io/initial-events-end": "true"}


class Stream:
    """An open watch; events are read as they come."""

    def __init__(self, ocim, path, accept="application/json"):
        host, port = ocim.address()
        context = ssl.create_default_context(cafile=str(ocim.data / "pki" / "ca.crt"))
        context.load_cert_chain(ocim.data / "pki" / "admin.crt", ocim.data / "pki" / "admin.key")
        self.connection = http.client.HTTPSConnection(host, port, context=context, timeout=30)
        self.connection.request("GET", path, headers={"Accept": accept})
        self.reply = self.connection.getresponse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def next(self):
        """The next event; None at the end."""
        line = self.reply.readline()
        return json.loads(line) if line else None

    def some(self, count):
        return [self.next() for _ in range(count)]


def short(event):
    """(type, name, data.a) of an event."""
    item = event["object"]
    return event["type"], item["metadata"].get("name"), item.get("data", {}).get("a")


class Watches(OcimTest):
    def write(self, method, path, body=None):
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        status, _, answer = self.ocim.request(method, path, body and json.dumps(body), {"Content-Type": kind})
        self.assertLess(status, 300, answer)
        return json.loads(answer)

    def space(self, name):
        self.write("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return MAPS.format(name)

    def put(self, maps, name, labels=None, **data):
        metadata = {"name": name} | ({"labels": labels} if labels else {})
        return self.write("POST", maps, {"metadata": metadata, "data": data})["metadata"]["resourceVersion"]

    def watch(self, maps, accept="application/json", **query):
        words = "&".join(f"{key}={value}" for key, value in query.items())
        return Stream(self.ocim, f"{maps}?watch=true&{words}", accept)

    def test_begins_with_what_is_there_or_after_a_version(self):
        maps = self.space("begins")
        version = self.put(maps, "a", a="1")
        self.put(maps, "b", a="1")
        for reason, query, seen in [("nothing said", {}, ["a", "b"]), ("0", {"resourceVersion": 0}, ["a", "b"]),
                                    ("after the first", {"resourceVersion": version}, ["b"])]:
            with self.subTest(reason), self.watch(maps, timeoutSeconds=3, **query) as stream:
                events = iter(stream.next, None)
                self.assertEqual([short(event)[:2] for event in events], [("ADDED", name) for name in seen])

    def test_changes_in_order_with_selectors(self):
        maps = self.space("ordered")
        with self.watch(maps) as everything, self.watch(maps, labelSelector="in%3Dyes") as chosen:
            self.put(maps, "a", {"in": "yes"}, a="1")
            self.put(maps, "b", a="1")
            self.write("PATCH", maps + "/b", {"metadata": {"labels": {"in": "yes"}}})
            self.write("PATCH", maps + "/a", {"data": {"a": "2"}})
            last = self.write("PATCH", maps + "/a", {"metadata": {"labels": None}})["metadata"]["resourceVersion"]
            self.write("DELETE", maps + "/b")
            self.assertEqual([short(e) for e in everything.some(6)],
                             [("ADDED", "a", "1"), ("ADDED", "b", "1"), ("MODIFIED", "b", "1"), ("MODIFIED", "a", "2"),
                              ("MODIFIED", "a", "2"), ("DELETED", "b", "1")])
            events = chosen.some(5)
            self.assertEqual([short(e) for e in events],
                             [("ADDED", "a", "1"), ("ADDED", "b", "1"), ("MODIFIED", "a", "2"), ("DELETED", "a", "2"),
                              ("DELETED", "b", "1")])
            self.assertEqual(events[3]["object"]["metadata"]["resourceVersion"], last, "when it left the selection")
            self.assertEqual(events[3]["object"]["metadata"]["labels"], {"in": "yes"}, "as it was in it")

    def test_initial_events_end_with_a_bookmark(self):
        maps = self.space("initial")
        self.put(maps, "a", a="1")
        rules = {"resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
        with self.watch(maps, sendInitialEvents="true", **rules) as stream:
            self.assertEqual(short(stream.next()), ("ADDED", "a", "1"))
            bookmark = stream.next()
            self.assertEqual((bookmark["type"], bookmark["object"]["kind"]), ("BOOKMARK", "ConfigMap"))
            self.assertEqual(bookmark["object"]["metadata"]["annotations"], END)
            self.put(maps, "b", a="1")
            added = stream.next()
            self.assertEqual(short(added), ("ADDED", "b", "1"))
            self.assertGreater(int(added["object"]["metadata"]["resourceVersion"]),
                               int(bookmark["object"]["metadata"]["resourceVersion"]))
        with self.watch(maps, sendInitialEvents="false", **rules) as stream:
            self.put(maps, "c", a="1")
            self.assertEqual(short(stream.next()), ("ADDED", "c", "1"))
        with self.watch(maps, sendInitialEvents="true", labelSelector="none%3Dhas", **rules) as stream:
            self.assertEqual(stream.next()["object"]["metadata"]["annotations"], END, "also of nothing")

    def test_ends_in_time_with_a_bookmark(self):
        maps = self.space("ends")
        begin = time.monotonic()
        with self.watch(maps, timeoutSeconds=8, allowWatchBookmarks="true") as stream:
            elsewhere = self.write("POST", MAPS.format("default"), {"metadata": {"generateName": "x"}})
            bookmark = stream.next()
            self.assertEqual(bookmark["type"], "BOOKMARK")
            self.assertGreaterEqual(int(bookmark["object"]["metadata"]["resourceVersion"]),
                                    int(elsewhere["metadata"]["resourceVersion"]), "it covers other namespaces")
            self.assertIsNone(stream.next(), "a clean end")
        self.assertGreater(time.monotonic() - begin, 7.9)

    def test_other_shapes(self):
        maps = self.space("shapes")
        self.put(maps, "a", a="1")
        accept = "application/json;as={};g=meta.k8s.io;v=v1"
        with self.watch(maps, accept.format("Table")) as stream:
            first = stream.next()["object"]
            self.assertEqual((first["kind"], first["rows"][0]["cells"][0]), ("Table", "a"))
            self.assertTrue(first["columnDefinitions"])
            self.put(maps, "b", a="1")
            self.assertFalse(stream.next()["object"]["columnDefinitions"], "they are told once")
        with self.watch(maps, accept.format("PartialObjectMetadata")) as stream:
            item = stream.next()["object"]
            self.assertEqual((item["kind"], "data" in item), ("PartialObjectMetadata", False))

    def test_goes_on_where_it_was_after_a_crash(self):
        maps = self.space("crashed")
        seen = []
        with self.watch(maps) as stream:
            for number in range(5):
                self.put(maps, f"before-{number}", a="1")
            events = stream.some(3)  # and no more: the rest is still on its way when the server goes
        seen += [event["object"]["metadata"]["name"] for event in events]
        at = events[-1]["object"]["metadata"]["resourceVersion"]
        self.ocim.kill()
        self.ocim.start()
        for number in range(3):
            self.put(maps, f"later-{number}", a="1")
        self.write("DELETE", maps + "/before-4")
        with self.watch(maps, resourceVersion=at, timeoutSeconds=4) as stream:
            rest = [(event["type"], event["object"]["metadata"]["name"]) for event in iter(stream.next, None)]
        self.assertEqual(seen, ["before-0", "before-1", "before-2"])
        self.assertEqual(rest, [("ADDED", "before-3"), ("ADDED", "before-4"), ("ADDED", "later-0"),
                                ("ADDED", "later-1"), ("ADDED", "later-2"), ("DELETED", "before-4")])

    def test_a_kind_that_goes_ends_its_watches(self):
        definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                      "metadata": {"name": "kites.shop.example.org"},
                      "spec": {"group": "shop.example.org", "scope": "Cluster", "names": {"kind": "Kite", "plural": "kites"},
                               "versions": [{"name": "v1", "served": True, "storage": True,
                                             "schema": {"openAPIV3Schema": {"type": "object"}}}]}}
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self.write("POST", crds, definition)
        with self.watch("/apis/shop.example.org/v1/kites") as stream:
            self.write("DELETE", crds + "/kites.shop.example.org")
            event = stream.next()
            self.assertEqual((event["type"], event["object"]["code"]), ("ERROR", 410))
            self.assertIsNone(stream.next())

    def test_who_does_not_read_is_cut_and_harms_nobody(self):
        maps = self.space("slow")
        with contextlib.closing(self.lazy(maps)) as lazy, self.watch(maps) as reader:
            held = self.sockets()
            names = []
            thread = threading.Thread(target=lambda: names.extend(
                event["object"]["metadata"]["name"] for event in reader.some(40)))
            thread.start()
            begin = time.monotonic()
            for number in range(40):
                self.put(maps, f"m{number:02}", a="x" * 900_000)
            thread.join(100)
            self.assertEqual(names, [f"m{number:02}" for number in range(40)], "the other one gets all of it")
            self.assertLess(time.monotonic() - begin, 100)
            # a stall of 10 s and a fair time for what was sent
            wait_until(lambda: self.sockets() < held, "the connection of who does not read is given up", 90)
            with contextlib.suppress(OSError):
                received = 0
                while piece := lazy.recv(65536):
                    received += len(piece)
                    self.assertLess(received, 30 * 900_000, "most of it was never sent")
            self.put(maps, "after", a="1")
            self.assertEqual(short(reader.next())[1], "after")

    def lazy(self, maps):
        """A watch that reads its headers and then nothing."""
        host, port = self.ocim.address()
        context = ssl.create_default_context(cafile=str(self.ocim.data / "pki" / "ca.crt"))
        context.load_cert_chain(self.ocim.data / "pki" / "admin.crt", self.ocim.data / "pki" / "admin.key")
        raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((host, port))
        out = context.wrap_socket(raw, server_hostname=host)
        out.sendall(f"GET {maps}?watch=true HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        self.assertIn(b"200 OK", out.recv(64))
        return out

    def sockets(self):
        """How many sockets the server holds."""
        folder = pathlib.Path(f"/proc/{self.ocim.process.pid}/fd")
        count = 0
        for entry in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                count += str(entry.readlink()).startswith("socket:")
        return count


if __name__ == "__main__":
    unittest.main()
