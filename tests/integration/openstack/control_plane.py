#!/usr/bin/python3
"""A real OpenStack control plane on loopback, for as long as some programs run, one after another.

    control_plane.py run PROGRAM ARGUMENT... [-- PROGRAM ARGUMENT...]
    control_plane.py serve

Keystone, Glance, Placement, Nova with its fake virtualization driver and Neutron, of Debian's packages, in a private
directory on free ports. A program finds in the environment variable OCIM_OPENSTACK the name of a JSON file that says
where what is (see `describe`); `serve` prints that name and waits until it is interrupted.

All of it lives in a PID namespace whose first process is this program: when it goes, however it goes, so does the rest.
"""
import fcntl
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from processes import LOOPBACK, Failed, Ports, Processes, http_answers, port_answers, wait_until
from settings import ADMIN_PASSWORD, DATABASE_PASSWORD, DATABASES, REGION, SERVICE_PASSWORD, Settings

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
PREFIX = "ocim-openstack-"
# Who may do what: name, password, project.
ACCOUNTS = [("ocim", "ocim-secret", "campus"), ("narrow", "narrow-secret", "narrow")]
QUOTAS = [("campus", 10000), ("narrow", 1)]  # how many machines a project may have
FLAVORS = [("small", 512, 1, 1), ("medium", 2048, 10, 2), ("large", 4096, 40, 2), ("large-too", 4096, 40, 4),
           ("impossible", 99000000, 1, 1)]  # name, MiB, GiB, processors; no host has room for the last


class Api:
    """Just enough of a client to furnish the place."""

    def __init__(self, auth_url):
        self.auth_url = auth_url
        self.token = None

    def call(self, method, url, body=None, kind="application/json", version=None):
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        request = urllib.request.Request(url, data, {"Content-Type": kind, "Accept": "application/json"},
                                         method=method)
        if version:
            request.add_header("OpenStack-API-Version", version)
        if self.token:
            request.add_header("X-Auth-Token", self.token)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                text = reply.read()
                return reply.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise Failed(f"{method} {url}: {error.code} {error.read()[:500]}") from None

    def log_in(self, user, password, project):
        self.token = None
        domain = {"id": "default"}
        headers, said = self.call("POST", f"{self.auth_url}/auth/tokens", {"auth": {
            "identity": {"methods": ["password"],
                         "password": {"user": {"name": user, "password": password, "domain": domain}}},
            "scope": {"project": {"name": project, "domain": domain}}}})
        self.token = headers["X-Subject-Token"]
        return said["token"]

    def make(self, where, kind, **fields):
        return self.call("POST", where, {kind: fields})[1][kind]


class ControlPlane:
    def __init__(self, directory):
        self.directory = directory
        self.holders = Ports()
        ports = {name: self.holders.take(name) for name in
                 ("keystone", "glance", "placement", "nova", "neutron", "mariadb", "rabbit", "rabbit-nodes", "epmd")}
        self.settings = Settings(directory, ports)
        self.processes = Processes(directory)
        self.began = time.monotonic()
        self.described = {}

    def say(self, what):
        print(f"[{time.monotonic() - self.began:6.1f} s] {what}", file=sys.stderr, flush=True)

    def start(self):
        self.settings.write()
        self.write_driver()
        self.start_broker()
        self.start_database()
        self.say("the database answers")
        self.make_schemas()
        self.say("the schemas are made")
        self.start_identity()
        self.fill_identity()
        self.say("the catalog is filled")
        self.start_services()
        self.say("all services answer")
        self.furnish()
        self.say("machines can be made")

    def stop(self):
        self.processes.stop()

    # --- one after another

    def start_broker(self):
        ports = self.settings.ports
        self.holders.release("rabbit", "rabbit-nodes", "epmd")
        epmd = sorted(glob.glob("/usr/lib/erlang/erts-*/bin/epmd"))[-1]
        # else the node would start one of its own, which outlives it
        self.processes.start("epmd", [epmd, "-address", LOOPBACK, "-port", str(ports["epmd"])])
        self.processes.ready("epmd", lambda: port_answers(ports["epmd"]))
        here = f"{self.directory}/rabbit"
        self.processes.start(
            "rabbit", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], HOME=here, RABBITMQ_NODENAME="ocim@localhost",
            RABBITMQ_CONF_ENV_FILE=self.settings.path("rabbitmq-env.conf"),
            RABBITMQ_CONFIG_FILE=self.settings.path("rabbitmq.conf"), RABBITMQ_MNESIA_BASE=f"{here}/mnesia",
            RABBITMQ_ENABLED_PLUGINS_FILE=self.settings.path("rabbitmq-plugins"), RABBITMQ_LOG_BASE=f"{here}/log",
            RABBITMQ_PID_FILE=f"{here}/pid", RABBITMQ_DIST_PORT=str(ports["rabbit-nodes"]),
            ERL_EPMD_PORT=str(ports["epmd"]), ERL_EPMD_ADDRESS=LOOPBACK,
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 1:1")

    def start_database(self):
        self.holders.release("mariadb")
        data, socket = f"{self.directory}/mysql", f"{self.directory}/mysql.sock"
        common = ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={data}", "--skip-log-bin",
                  "--innodb-log-file-size=32M"]
        if os.getuid() == 0:
            common.append("--user=root")
        statements = ["create database mysql;", "use mysql;", "set @auth_root_socket=NULL;",
                      "set @skip_auth_anonymous=1;"]
        for name in ("mysql_system_tables", "mysql_system_tables_data"):
            with open(f"/usr/share/mysql/{name}.sql") as tables:
                statements.append(tables.read())
        accounts = [f"create database {name};" for name in DATABASES] + [
            "flush privileges;", f"create user stack@'{LOOPBACK}' identified by '{DATABASE_PASSWORD}';",
            f"grant all on *.* to stack@'{LOOPBACK}';"]
        with open(self.processes.log("mariadb-bootstrap"), "w") as log:
            made = subprocess.run([*common, "--bootstrap"], input="\n".join(statements + accounts), text=True,
                                  stdout=log, stderr=log, timeout=120)
        if made.returncode != 0:
            raise Failed(self.processes.tail("mariadb-bootstrap"))
        port = self.settings.ports["mariadb"]
        self.processes.start("mariadb", [
            *common, f"--socket={socket}", f"--pid-file={socket}.pid", f"--bind-address={LOOPBACK}", f"--port={port}",
            # it need not survive a power cut
            "--debug-no-sync", "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync",
            "--innodb-doublewrite=0", "--innodb-buffer-pool-size=64M", "--performance-schema=OFF",
            "--skip-name-resolve", "--max-connections=400", "--character-set-server=utf8mb3",
            "--collation-server=utf8mb3_general_ci"])
        self.processes.ready("mariadb", lambda: port_answers(port))

    def make_schemas(self):
        settings = self.settings
        steps = {
            "nova": [settings.path("nova.conf"), settings.database("nova_cell0")],
            "keystone": [settings.path("keystone.conf"), ADMIN_PASSWORD, REGION, settings.auth_url],
            "neutron": [settings.path("neutron.conf")],
            "glance": [settings.path("glance.conf")],
            "placement": [settings.path("placement.conf")],
        }
        for name, arguments in steps.items():
            self.processes.start(f"schema-{name}", [PYTHON, f"{HERE}/steps.py", name, *arguments])
        self.processes.finish(*(f"schema-{name}" for name in steps))

    def write_driver(self):
        """Makes our ML2 driver one that Neutron finds by its name."""
        place = f"{self.directory}/python"
        os.makedirs(f"{place}/ocim_loopback-1.dist-info")
        shutil.copy(f"{HERE}/loopback_driver.py", place)
        with open(f"{place}/ocim_loopback-1.dist-info/METADATA", "w") as out:
            out.write("Metadata-Version: 2.1\nName: ocim-loopback\nVersion: 1\n")
        with open(f"{place}/ocim_loopback-1.dist-info/entry_points.txt", "w") as out:
            out.write("[neutron.ml2.mechanism_drivers]\nloopback = loopback_driver:LoopbackDriver\n")

    def start_identity(self):
        self.holders.release("keystone")
        self.processes.start("keystone", ["uwsgi", "--ini", self.settings.path("keystone.ini")],
                             OS_KEYSTONE_CONFIG_FILES=self.settings.path("keystone.conf"))
        self.processes.ready("keystone", lambda: http_answers(self.settings.auth_url))

    def fill_identity(self):
        settings, api = self.settings, Api(self.settings.auth_url)
        token = api.log_in("admin", ADMIN_PASSWORD, "admin")
        root = settings.auth_url
        roles = {role["name"]: role["id"] for role in api.call("GET", f"{root}/roles")[1]["roles"]}
        if "service" not in roles:
            roles["service"] = api.make(f"{root}/roles", "role", name="service")["id"]

        def grant(project, user, *names):
            for name in names:
                api.call("PUT", f"{root}/projects/{project}/users/{user}/roles/{roles[name]}")

        def project(name):
            return api.make(f"{root}/projects", "project", name=name, domain_id="default")["id"]

        def user(name, password):
            return api.make(f"{root}/users", "user", name=name, password=password, domain_id="default")["id"]

        grant(token["project"]["id"], token["user"]["id"], "member")
        services = project("service")
        for name in ("glance", "placement", "nova", "neutron"):
            grant(services, user(name, SERVICE_PASSWORD), "admin", "service")
        for name, password, where in ACCOUNTS:
            grant(project(where), user(name, password), "member", "reader")
        for kind, name, path in (("image", "glance", ""), ("placement", "placement", ""), ("compute", "nova", "/v2.1"),
                                 ("network", "neutron", "")):
            service = api.make(f"{root}/services", "service", type=kind, name=name)["id"]
            for interface in ("public", "internal", "admin"):
                api.make(f"{root}/endpoints", "endpoint", service_id=service, interface=interface, region_id=REGION,
                         url=settings.url(name) + path)

    def start_services(self):
        settings, start = self.settings, self.processes.start
        self.processes.ready("rabbit", lambda: port_answers(settings.ports["rabbit"]))
        self.holders.release("placement", "neutron", "nova", "glance")

        def entry(name, module, configuration, **environment):
            start(name, [PYTHON, "-c", f"import sys; sys.argv[0] = '{name}'; from {module} import main; "
                         "sys.exit(main())", "--config-file", settings.path(configuration)], **environment)

        start("placement", ["uwsgi", "--ini", settings.path("placement.ini")],
              OS_PLACEMENT_CONFIG_DIR=self.placement_directory())
        entry("nova-compute", "nova.cmd.compute", "nova-compute.conf")
        entry("nova-conductor", "nova.cmd.conductor", "nova.conf")
        entry("neutron-server", "neutron.cmd.eventlet.server", "neutron.conf", PYTHONPATH=f"{self.directory}/python")
        entry("nova-scheduler", "nova.cmd.scheduler", "nova.conf")
        entry("nova-api", "nova.cmd.api_os_compute", "nova.conf")
        entry("glance-api", "glance.cmd.api", "glance.conf")
        for name, port in (("placement", "placement"), ("neutron-server", "neutron"), ("glance-api", "glance"),
                           ("nova-api", "nova")):
            self.processes.ready(name, lambda: http_answers(settings.url(port) + "/"))
        start("hosts", [PYTHON, f"{HERE}/steps.py", "hosts", settings.path("nova.conf"), "120"])

    def placement_directory(self):
        """Placement reads the one file of this name in a directory."""
        place = f"{self.directory}/etc/placement"
        os.makedirs(place)
        shutil.copy(self.settings.path("placement.conf"), place)
        return place

    # --- what a cloud has on its first day

    def furnish(self):
        settings, api = self.settings, Api(self.settings.auth_url)
        api.log_in("admin", ADMIN_PASSWORD, "admin")
        nova, neutron = settings.url("nova") + "/v2.1", settings.url("neutron") + "/v2.0"
        for name, ram, disk, processors in FLAVORS:
            api.make(f"{nova}/flavors", "flavor", name=name, ram=ram, disk=disk, vcpus=processors)
        self.add_image(api, "debian-12")
        for name in ("twin", "twin"):
            self.add_image(api, name)
        private = api.make(f"{neutron}/networks", "network", name="private", shared=True)
        subnet = api.make(f"{neutron}/subnets", "subnet", network_id=private["id"], ip_version=4, cidr="10.77.0.0/16",
                          name="private", enable_dhcp=False)
        public = api.make(f"{neutron}/networks", "network", name="public",
                          **{"router:external": True, "provider:network_type": "flat",
                             "provider:physical_network": "outside"})
        api.make(f"{neutron}/subnets", "subnet", network_id=public["id"], ip_version=4, cidr="198.51.100.0/24",
                 name="public", enable_dhcp=False)
        router = api.make(f"{neutron}/routers", "router", name="way-out",
                          external_gateway_info={"network_id": public["id"]})
        api.call("PUT", f"{neutron}/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
        for name, instances in QUOTAS:
            project = api.call("GET", f"{settings.auth_url}/projects?name={name}")[1]["projects"][0]["id"]
            api.call("PUT", f"{nova}/os-quota-sets/{project}",
                     {"quota_set": {"instances": instances, "ram": -1, "cores": -1}})
            api.call("PUT", f"{neutron}/quotas/{project}",
                     {"quota": {"port": -1, "floatingip": -1, "security_group": -1, "security_group_rule": -1}})
        self.processes.finish("hosts")
        candidates = settings.url("placement") + "/allocation_candidates?" + urllib.parse.urlencode(
            {"resources": "VCPU:1,MEMORY_MB:64"})
        wait_until(lambda: self.has_room(api, candidates), 120, "the host's inventory")

    def add_image(self, api, name):
        images = self.settings.url("glance") + "/v2/images"
        image = api.call("POST", images, {"name": name, "disk_format": "raw", "container_format": "bare",
                                          "visibility": "public", "os_distro": "debian"})[1]["id"]
        api.call("PUT", f"{images}/{image}/file", b"\0" * 4096, "application/octet-stream")

    @staticmethod
    def has_room(api, url):
        request = urllib.request.Request(url, headers={"X-Auth-Token": api.token,
                                                       "OpenStack-API-Version": "placement 1.10"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return bool(json.load(reply)["provider_summaries"])

    def describe(self):
        """What the program that runs against it may want to know."""
        settings = self.settings
        return {"authURL": settings.auth_url, "region": REGION, "directory": self.directory,
                "admin": {"user": "admin", "password": ADMIN_PASSWORD, "project": "admin"},
                "accounts": [{"user": user, "password": password, "project": project}
                             for user, password, project in ACCOUNTS],
                "ports": settings.ports,
                "pids": {name: process.pid for name, process in self.processes.running.items()}}


def sweep():
    """Removes what runs that were killed have left: their directories are not locked any more."""
    for directory in glob.glob(os.path.join(tempfile.gettempdir(), PREFIX + "*")):
        try:
            with open(f"{directory}/lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue


def enclose():
    """Becomes the first process of a PID namespace of its own."""
    if os.getpid() == 1:
        return
    command = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
    if os.getuid() != 0:
        command += ["--user", "--map-root-user"]
    os.execvp(command[0], [*command, PYTHON, os.path.abspath(__file__), *sys.argv[1:]])


def run_programs(words, description):
    """Runs them all, also after one has failed; fails when one did."""
    programs = [[]]
    for word in words:
        if word == "--":
            programs.append([])
        else:
            programs[-1].append(word)
    environment = {**os.environ, "OCIM_OPENSTACK": description}
    return max([subprocess.call(program, env=environment) for program in programs], key=abs)


def interrupted(number, _frame):
    sys.exit(128 + number)


def main():
    if sys.argv[1:2] not in (["run"], ["serve"]) or (sys.argv[1] == "run") == (len(sys.argv) == 2):
        sys.exit(__doc__)
    enclose()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupted)
    sweep()
    directory = tempfile.mkdtemp(prefix=PREFIX)
    with open(f"{directory}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        plane = ControlPlane(directory)
        try:
            plane.start()
            description = f"{directory}/cloud.json"
            with open(description, "w") as out:
                json.dump(plane.describe(), out, indent=1)
            if sys.argv[1] == "serve":
                print(description, flush=True)
                signal.pause()
            return run_programs(sys.argv[2:], description)
        except Failed as failed:
            print(failed, file=sys.stderr)
            return 1
        finally:
            plane.stop()
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
