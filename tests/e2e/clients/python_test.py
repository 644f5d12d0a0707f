#!/usr/bin/python3
"""The official Python client, as Debian packages it."""
import json
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import ClientTest, main  # noqa: E402
from kubernetes import client, config, dynamic, watch  # noqa: E402
from kubernetes.client.rest import ApiException  # noqa: E402

OURS = {"group": "ocim.opencraft.com", "version": "v1alpha1", "namespace": "default", "plural": "dnsrecords"}


def record(name, **spec):
    wanted = {"zoneRef": {"name": "example"}, "name": f"{name}.example.org", "type": "A", "values": ["192.0.2.1"]}
    return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "DNSRecord", "metadata": {"name": name},
            "spec": wanted | spec}


def config_map(name, labels=None, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels=labels), data=data)


class Python(ClientTest):
    CLIENT = f"python3-kubernetes {client.__version__}"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        config.load_kube_config(str(cls.ocim.data / "kubeconfig"))
        cls.core = client.CoreV1Api()
        cls.objects = client.CustomObjectsApi()

    def refused(self, call, *words, **options):
        with self.assertRaises(ApiException) as caught:
            call(*words, **options)
        return caught.exception

    def test_version_and_discovery(self):
        """version, groups, resources of a group"""
        self.assertEqual(client.VersionApi().get_code().minor, "35")
        self.assertIn("ocim.opencraft.com", [group.name for group in client.ApisApi().get_api_versions().groups])
        self.assertIn("v1", client.CoreApi().get_api_versions().versions)

    def test_built_in(self):
        """create, read, replace, patch, delete of a built-in kind"""
        made = self.core.create_namespaced_config_map("default", config_map("built-in", a="1"))
        self.assertEqual(made.data, {"a": "1"})
        made.data = {"a": "2"}
        changed = self.core.replace_namespaced_config_map("built-in", "default", made)
        self.assertEqual(self.refused(self.core.replace_namespaced_config_map, "built-in", "default", made).status, 409)
        self.assertNotEqual(changed.metadata.resource_version, made.metadata.resource_version)
        patched = self.core.patch_namespaced_config_map("built-in", "default", {"data": {"b": "3"}})
        self.assertEqual(patched.data, {"a": "2", "b": "3"})
        self.core.delete_namespaced_config_map("built-in", "default")
        self.assertEqual(self.refused(self.core.read_namespaced_config_map, "built-in", "default").status, 404)

    def test_custom(self):
        """create, get, patch, patch of status, delete of a kind of ours"""
        self.objects.create_namespaced_custom_object(**OURS, body=record("ours"))
        self.objects.patch_namespaced_custom_object(**OURS, name="ours", body={"spec": {"ttlSeconds": 60}})
        self.objects.patch_namespaced_custom_object_status(**OURS, name="ours",
                                                           body={"status": {"observedGeneration": 2}})
        stored = self.objects.get_namespaced_custom_object(**OURS, name="ours")
        self.assertEqual((stored["spec"]["ttlSeconds"], stored["status"]["observedGeneration"]), (60, 2))
        wrong = self.refused(self.objects.create_namespaced_custom_object, **OURS, body=record("wrong", type="X"))
        self.assertEqual(wrong.status, 422)
        self.assertIn("spec.type", wrong.body)
        self.objects.delete_namespaced_custom_object(**OURS, name="ours")

    def test_list(self):
        """list: selectors, pages of one snapshot"""
        for number in range(5):
            self.core.create_namespaced_config_map("default", config_map(f"l{number}", {"listed": str(number % 2)}))
        self.assertEqual([c.metadata.name for c in self.core.list_namespaced_config_map(
            "default", label_selector="listed=1").items], ["l1", "l3"])
        page = self.core.list_namespaced_config_map("default", label_selector="listed", limit=2)
        names, version = [c.metadata.name for c in page.items], page.metadata.resource_version
        self.core.delete_namespaced_config_map("l4", "default")
        while page.metadata._continue:
            page = self.core.list_namespaced_config_map("default", label_selector="listed", limit=2,
                                                        _continue=page.metadata._continue)
            names += [c.metadata.name for c in page.items]
            self.assertEqual(page.metadata.resource_version, version)
        self.assertEqual(names, ["l0", "l1", "l2", "l3", "l4"])
        self.core.delete_collection_namespaced_config_map("default", label_selector="listed")
        self.assertEqual(self.core.list_namespaced_config_map("default", label_selector="listed").items, [])

    def test_watch(self):
        """watch: from a list on, by selector, with its end"""
        start = self.core.list_namespaced_config_map("default").metadata.resource_version

        def change():
            self.core.create_namespaced_config_map("default", config_map("seen", {"watched": "yes"}, a="1"))
            self.core.create_namespaced_config_map("default", config_map("unseen", a="1"))
            self.core.patch_namespaced_config_map("seen", "default", {"data": {"a": "2"}})
            self.core.delete_namespaced_config_map("seen", "default")

        thread = threading.Thread(target=change)
        thread.start()
        seen = []
        stream = watch.Watch()
        for event in stream.stream(self.core.list_namespaced_config_map, "default", resource_version=start,
                                   label_selector="watched", timeout_seconds=30):
            seen.append((event["type"], event["object"].metadata.name, event["object"].data["a"]))
            if event["type"] == "DELETED":
                stream.stop()
        thread.join()
        self.assertEqual(seen, [("ADDED", "seen", "1"), ("MODIFIED", "seen", "2"), ("DELETED", "seen", "2")])
        ended = list(watch.Watch().stream(self.core.list_namespaced_config_map, "default", timeout_seconds=1,
                                          label_selector="nothing=is"))
        self.assertEqual(ended, [])

    def test_watch_of_ours(self):
        """watch of a kind of ours, from the beginning and from a version on"""
        self.objects.create_namespaced_custom_object(**OURS, body=record("w"))
        event = next(watch.Watch().stream(self.objects.list_namespaced_custom_object, **OURS, timeout_seconds=10,
                                          field_selector="metadata.name=w"))
        self.assertEqual((event["type"], event["object"]["metadata"]["name"]), ("ADDED", "w"))
        later = watch.Watch().stream(self.objects.list_namespaced_custom_object, **OURS, timeout_seconds=1,
                                     resource_version=event["object"]["metadata"]["resourceVersion"])
        self.assertEqual(list(later), [])

    def test_dynamic(self):
        """the dynamic client: discovery, get, server-side apply"""
        api = dynamic.DynamicClient(client.ApiClient())
        records = api.resources.get(api_version="ocim.opencraft.com/v1alpha1", kind="DNSRecord")
        body = json.dumps(record("dynamic"))
        api.request("patch", records.path(name="dynamic", namespace="default"), body=body,
                    content_type="application/apply-patch+yaml", query_params=[("fieldManager", "py")])
        stored = records.get(name="dynamic", namespace="default")
        self.assertEqual(stored.metadata.managedFields[0].manager, "py")
        self.assertEqual([r.metadata.name for r in records.get(namespace="default",
                                                               field_selector="metadata.name=dynamic").items],
                         ["dynamic"])


if __name__ == "__main__":
    main()
