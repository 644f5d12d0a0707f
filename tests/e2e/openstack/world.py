"""What the scenarios of this folder share: Ocim as a process, a project of a real control plane, and machines that
answer where Nova says that its servers are. Run below tests/integration/openstack/control_plane.py, which sets
OCIM_OPENSTACK."""
import json
import os
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "script"))
from hosts import Hosts, Project, until  # noqa: E402,F401
from stage import OCIM, Stage  # noqa: E402

READY = 300  # many times what it takes
DOMAIN = "example.test"


class World(unittest.TestCase):
    maxDiff = None
    drift_interval = "10s"
    runs_at_a_time = 4
    floating = False  # machines are reached by public addresses

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="ocim-e2e-")
        cls.stage = Stage(pathlib.Path(cls.folder.name) / "stage")
        cls.hosts = cls.project = None
        with open(os.environ["OCIM_OPENSTACK"], encoding="utf-8") as text:
            cls.place = json.load(text)
        try:
            cls.raise_world()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        if cls.hosts:
            cls.hosts.close()
        cls.stage.lower_curtain()
        cls.folder.cleanup()
        if cls.project:
            cls.project.clear()  # of what a test left that failed

    @classmethod
    def raise_world(cls):
        stage = cls.stage
        stage.facts.update(DOMAIN=DOMAIN)
        gateway = stage.raise_cloud()  # for its network only: no machine of Ocim's own is ever there
        stage.start_powerdns(DOMAIN)
        stage.start_haproxy()
        stage.start_git(gateway, ROOT / "tests/e2e/openstack/playbook")
        cls.project = Project(cls.place, cls.place["accounts"][0])
        cls.networks = cls.make_networks(stage.facts["SUBNET"], gateway)
        cls.need_key_pair(stage.facts["SSH_PUBLIC_KEY"])
        stage.apply(stage.secret("powerdns", {"apiKey": stage.facts["POWERDNS_KEY"]}), cls.login(), cls.cloud(),
                    cls.instance_class(),
                    *[m for m in stage.manifests(ROOT / "manifests/samples/demo/backends")
                      if m["kind"] in ("DNSZone", "LoadBalancer")],
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "campus"}})
        bridge = next(stage.path("ocim").glob("local-cloud/*/.bridge")).read_text().strip()
        cls.hosts = Hosts(Project(cls.place, cls.place["accounts"][0]), Project(cls.place, cls.place["admin"]), OCIM, stage.path("hosts"),
                          "floating" if cls.floating else "fixed", bridge, gateway)

    @classmethod
    def make_networks(cls, subnet, gateway):
        """Networks of Neutron's; that by which machines are reached is the one on which this host's machines answer."""
        admin = Project(cls.place, cls.place["admin"])
        name = f"machines-{os.getpid()}"

        def make(name, cidr, **more):
            made = admin.api.make(f"{admin.neutron}/networks", "network", name=name, **more)
            where = {"gateway_ip": gateway} if cidr == subnet else {}
            return made["id"], admin.api.make(f"{admin.neutron}/subnets", "subnet", network_id=made["id"], ip_version=4,
                                              cidr=cidr, name=name, enable_dhcp=False, **where)["id"]
        if not cls.floating:
            make(name, subnet, shared=True)
            return {"network": name}
        outer, _ = make(f"outer-{name}", subnet, **{"router:external": True, "provider:network_type": "flat",
                                                    "provider:physical_network": name})
        _, inner = make(name, "10.78.0.0/16", shared=True)
        router = admin.api.make(f"{admin.neutron}/routers", "router", name=name,
                                external_gateway_info={"network_id": outer})
        admin.api.call("PUT", f"{admin.neutron}/routers/{router['id']}/add_router_interface", {"subnet_id": inner})
        return {"network": name, "floatingNetwork": f"outer-{name}"}

    @classmethod
    def region(cls):
        return cls.place["region"]

    @classmethod
    def need_key_pair(cls, public_key):
        if "demo" in cls.project.key_pairs():
            cls.project.api.call("DELETE", f"{cls.project.nova}/os-keypairs/demo")
        cls.project.api.make(f"{cls.project.nova}/os-keypairs", "keypair", name="demo", public_key=public_key)

    # --- what is declared

    @classmethod
    def login(cls):
        account = cls.place["accounts"][0]
        return cls.stage.secret("stack", {"OS_USERNAME": account["user"], "OS_PASSWORD": account["password"],
                                          "OS_PROJECT_NAME": account["project"]})

    @classmethod
    def cloud(cls):
        return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "Cloud",
                "metadata": {"name": "stack", "labels": {"tier": "stack"}},
                "spec": {"openstack": {"authURL": cls.place["authURL"], "region": cls.region(),
                                       "credentialsRef": {"name": "stack"}, **cls.networks},
                         "driftInterval": cls.drift_interval, "maxConcurrentRuns": cls.runs_at_a_time}}

    @classmethod
    def instance_class(cls, **spec):
        return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "InstanceClass", "metadata": {"name": "stack"},
                "spec": {"baseDomain": DOMAIN, "placement": {"cloud": {"matchLabels": {"tier": "stack"}}},
                         "compute": {"flavor": {"name": "small"}, "image": {"name": "debian-12"}, "keyName": "demo",
                                     "sshKeyRef": {"name": "demo-ssh"}},
                         "databases": {"mode": "Ephemeral"}, "monitoring": {"enabled": False},
                         "configuration": {"repository": cls.stage.facts["REPOSITORY"], "version": "main",
                                           "playbook": "site.yml"}, **spec}}

    @staticmethod
    def instance(name, **spec):
        return {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "Instance",
                "metadata": {"name": name, "namespace": "campus"},
                "spec": {"className": "stack", "subdomain": name, **spec}}

    # --- looking

    def condition(self, kind, name, type_="Ready", namespace="campus"):
        found = self.stage.get(kind, name, "-n", namespace) or {}
        for condition in found.get("status", {}).get("conditions", []):
            if condition["type"] == type_:
                return condition
        return {"status": "Unknown", "reason": "", "message": ""}

    def stands(self, kind, name, namespace="campus"):
        found = self.condition(kind, name, namespace=namespace)
        return f"{found['status']} {found['reason']}"

    def wait_stands(self, kind, name, how, namespace="campus", seconds=READY):
        try:
            until(f"{kind} {name} is {how}", lambda: self.stands(kind, name, namespace) == how, seconds)
        except AssertionError as error:
            told = self.stage.kubectl("describe", kind, name, "-n", namespace, check=False).stdout
            self.fail(f"{error}\n{told}\n{self.hosts.trouble[-5:]}\n{self.stage.end_of_log('ocim')}")

    def ready(self, kind):
        listed = self.stage.get(kind, "-n", "campus")["items"]
        said = [item.get("status", {}).get("conditions", []) for item in listed]
        return sum(any(c["type"] == "Ready" and c["status"] == "True" for c in conditions) for conditions in said)

    def nothing_is_left(self):
        """In the project itself, by OpenStack's own lists."""
        left = {"machines": [s["name"] for s in self.project.servers()],
                "ports": [p["id"] for p in self.project.ports()],
                "addresses": [a["floating_ip_address"] for a in self.project.addresses()],
                "keys": sorted(self.project.key_pairs().keys() - {"demo", "ops"})}
        self.assertEqual(left, {"machines": [], "ports": [], "addresses": [], "keys": []})
