"""A stage for Ocim on one machine: real servers as ordinary processes on free ports, all below one directory.

The demo and the end-to-end tests both stand on it. Nothing here knows of Ocim's insides: it starts programs, waits on
conditions with a deadline, and stops them.
"""
import base64
import errno
import fcntl
import ipaddress
import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
OCIM = pathlib.Path(os.environ.get("OCIM", ROOT / "build" / "ocim"))
KUBECTL = ROOT / ".deps" / "kubectl" / "kubectl"
# The way to run: "standalone", "operator" with the API server and the controllers in two processes, or "replicated", for which
# replicas.py has a stage of its own.
MODE = os.environ.get("OCIM_MODE", "standalone")


class StageError(Exception):
    """Something did not come up; the message says what, and where its log is."""


class Fallen(StageError):
    """A process has ended that nobody stopped: not to be waited for."""


def free_port(address="127.0.0.1"):
    """Below those that Linux gives to whoever connects: none of them takes it before its server does."""
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, random.randrange(10_000, 32_768)))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            return probe.getsockname()[1]


def wait_for(what, condition, seconds):
    """Returns what `condition` returns once that is true. Between looks it waits, at the deadline it says `what`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise StageError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def answers(address, port):
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


class one_at_a_time:
    """Stages that start at the same moment choose their networks one after another."""

    def __enter__(self):
        self.lock = open("/run/lock/ocim-stage", "w", encoding="utf-8")
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.lock.close()


def free_subnet():
    """A private /24 that this host has no route into. Nobody else's only once it is taken: see one_at_a_time."""
    routes = json.loads(subprocess.run(["ip", "-json", "route"], capture_output=True, check=True).stdout or b"[]")
    taken = [ipaddress.ip_network(r["dst"], strict=False) for r in routes if r.get("dst", "default") != "default"]
    for third in range(0, 256):
        candidate = ipaddress.ip_network(f"10.213.{third}.0/24")
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise StageError("no network of 10.213.0.0/16 is free on this host")


class Process(subprocess.Popen):
    """Knows whether it was told to end."""
    told = False

    def send_signal(self, sig):
        if self.poll() is None and sig in (signal.SIGTERM, signal.SIGKILL):
            self.told = True
        super().send_signal(sig)


class Stage:
    """Everything below `directory`. `detached` processes outlive this one (the demo); others die with it."""

    def __init__(self, directory, detached=False):
        self.directory = pathlib.Path(directory).resolve()
        self.detached = detached
        self.processes = {}
        self.commands = {}
        self.facts = {}
        self.directory.mkdir(parents=True, exist_ok=True)

    # --- processes

    def path(self, *parts):
        out = self.directory.joinpath(*parts)
        out.parent.mkdir(parents=True, exist_ok=True)
        return out

    def start(self, name, command, environment=None):
        log = open(self.path("log", f"{name}.log"), "ab")
        process = Process(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            cwd=self.directory, env={**os.environ, **(environment or {})})
        log.close()
        self.processes[name] = process
        self.commands[name] = (command, environment)
        self.path("pids", name).write_text(f"{process.pid}\n")
        return process

    def start_again(self, name):
        """The same process on the same data, after it was stopped."""
        return self.start(name, *self.commands[name])

    def stop(self, name, sig=signal.SIGTERM, seconds=30):
        """Ends a process and everything in its session."""
        process = self.processes.pop(name)
        if process.poll() is not None and not process.told:
            print(self.last_words(name, process.returncode), file=sys.stderr, flush=True)
        if process.poll() is None:
            process.send_signal(sig)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        code = process.returncode
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.path("pids", name).unlink(missing_ok=True)
        return code

    def kill(self, name):
        """As when the power goes."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.bury(name)

    def bury(self, name):
        """Once it was killed on purpose: one that ended in another way is a failure."""
        process = self.processes[name]
        code = process.wait(30)
        if code != -signal.SIGKILL or not process.told:
            raise Fallen(self.last_words(name, code))
        del self.processes[name]

    def wait_until_up(self, name, condition, seconds=120):
        def up():
            if self.processes[name].poll() is not None:
                raise StageError(f"{name} ended with {self.processes[name].returncode}: {self.end_of_log(name)}")
            return condition()
        try:
            return wait_for(f"{name} is up", up, seconds)
        except StageError as error:
            raise StageError(f"{error}\n{self.end_of_log(name)}") from None

    def last_words(self, name, code):
        """Of a process that nobody here has stopped: its log goes with the stage."""
        how = f"exit status {code}" if code >= 0 else signal.Signals(-code).name
        return f"{name} had ended by itself, with {how}; the end of {self.end_of_log(name, 60)}"

    def end_of_log(self, name, lines=15):
        path = self.path("log", f"{name}.log")
        return f"{path}:\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    # --- Ocim

    def homes(self):
        """Where the processes that run controllers, or did, keep their files."""
        return [self.path("ocim")]

    def told(self):
        """All that those have written to logs, of theirs and of playbooks."""
        paths = [path for home in self.homes() for path in (self.path("log", f"{home.name}.log"), *home.rglob("*.log"))]
        return "".join(path.read_text(errors="replace") for path in paths)

    def start_ocim(self, *flags):
        if MODE == "operator":
            self.start_operator(*flags)
        else:
            self.start_serve("ocim", "metrics", *flags)

    def start_serve(self, name, metrics, *flags):
        """`ocim serve` with its data in the folder of that name; `metrics`: what its port is called."""
        self.start(name, [OCIM, "serve", "--data-dir", self.path(name), "--listen", f"127.0.0.1:{self.port('api')}",
                          "--metrics-listen", f"127.0.0.1:{self.port(metrics)}", *flags])
        self.wait_until_up(name, lambda: self.is_ready(metrics) and self.path(name, "kubeconfig").exists())
        self.kubeconfig.unlink(missing_ok=True)
        self.kubeconfig.symlink_to(f"{name}/kubeconfig")

    def start_operator(self, *flags):
        """The controllers, in a process "ocim", against the API server of a process "api", which outlives them. `flags`
        are the controllers'. They may do what an installation in a cluster lets them."""
        if "api" not in self.processes:
            self.start_serve("api", "api_metrics", "--no-controllers")
            self.make_controller_account()
        self.start("ocim", [OCIM, "controller", "--data-dir", self.path("ocim"), "--kubeconfig", self.controller_kubeconfig,
                            "--metrics-listen", f"127.0.0.1:{self.port('metrics')}", "--local-machines",
                            "--listen", f"127.0.0.1:{self.port('door')}", *flags])
        self.wait_until_up("ocim", lambda: self.is_ready("metrics"))

    def start_follower(self, name):
        """More controllers, which do not lead, with ports NAME_door and NAME_webhooks."""
        self.start(name, [OCIM, "controller", "--data-dir", self.path(name), "--kubeconfig", self.controller_kubeconfig,
                          "--metrics-listen", f"127.0.0.1:{self.port(f'{name}_metrics')}",
                          "--listen", f"127.0.0.1:{self.port(f'{name}_door')}",
                          "--webhook-listen", f"127.0.0.1:{self.port(f'{name}_webhooks')}"])
        self.wait_until_up(name, lambda: self.is_ready(f"{name}_metrics"))

    def make_controller_account(self):
        """The account of manifests/install/operator.yaml with its rights, and a kubeconfig with a token of it."""
        import yaml  # Debian's python3-yaml
        self.apply(*(m for m in yaml.safe_load_all((ROOT / "manifests/install/operator.yaml").read_text())
                     if m["kind"] in ("Namespace", "ServiceAccount") or "rbac" in m["apiVersion"]))
        self.controller_token = self.kubectl("create", "token", "ocim", "-n", "ocim-system", "--duration=24h").stdout.strip()
        document = yaml.safe_load(self.kubeconfig.read_text())
        document["users"][0]["user"] = {"token": self.controller_token}
        self.controller_kubeconfig = self.path("controller-kubeconfig")
        self.controller_kubeconfig.touch(mode=0o600)
        self.controller_kubeconfig.write_text(yaml.safe_dump(document))

    @property
    def kubeconfig(self):
        return self.path("kubeconfig")

    def is_ready(self, metrics):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port(metrics)}/readyz", timeout=2) as reply:
                return reply.status == 200
        except OSError:
            return False

    def ocim_is_ready(self):
        return self.is_ready("metrics") and self.kubeconfig.exists()

    def port(self, name):
        """The same free port each time it is asked for."""
        return self.facts.setdefault(f"{name}_PORT", free_port())

    def webhook_port(self):
        return self.port("webhook")

    def metrics_port(self):
        """Of the process that runs the controllers."""
        return self.port("metrics")

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port()}/metrics", timeout=60) as reply:
            return reply.read().decode()

    def kubectl(self, *words, input=None, check=True, seconds=60):
        run = subprocess.run(
            [str(KUBECTL), "--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self.path("cache")),
             *[str(w) for w in words]], input=input, capture_output=True, text=True, timeout=seconds)
        if check and run.returncode:
            raise StageError(f"kubectl {' '.join(map(str, words))}: {run.stderr.strip() or run.stdout.strip()}")
        return run

    def get(self, *words):
        """An object as it is, or None; of a kind without a name all objects, as {"items": […]}."""
        run = self.kubectl("get", *words, "-o", "json", "--ignore-not-found")
        if run.stdout.strip():
            return json.loads(run.stdout)
        named = "/" in words[0] or (len(words) > 1 and not words[1].startswith("-"))
        return None if named else {"items": []}

    def apply(self, *objects):
        # a stream of documents would be cut at a "---" within a text
        return self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def secret(self, name, data, namespace="ocim-system"):
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
                "data": {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}}

    # --- the servers that stand for an installation's own

    def start_mariadb(self, address):
        port, folder = free_port(address), self.path("mariadb")
        # a server removes the temporary files of others from the folder that it shares with them
        own_tmp = f"--tmpdir={self.path('mariadb-tmp', 'x').parent}"
        self.facts.update(MYSQL_HOST=address, MYSQL_PORT=port, MYSQL_ADMIN_PASSWORD=secrets.token_hex(16))
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={folder}", "--skip-test-db", "--user=root",
                        "--auth-root-authentication-method=normal", own_tmp], check=True, capture_output=True)
        command = ["mariadbd", "--no-defaults", f"--datadir={folder}", f"--socket={folder}/s", f"--bind-address={address}",
                   f"--port={port}", f"--pid-file={folder}/pid", "--user=root", "--skip-name-resolve", own_tmp,
                   "--innodb-buffer-pool-size=64M"]
        self.start("mariadb", command)
        self.wait_until_up("mariadb", lambda: self.sql("SELECT 1", check=False).returncode == 0)
        password = self.facts["MYSQL_ADMIN_PASSWORD"]
        self.sql(f"CREATE USER 'ocim'@'%' IDENTIFIED BY '{password}'; GRANT ALL ON *.* TO 'ocim'@'%' WITH GRANT OPTION")

    def sql(self, statement, check=True):
        """As the server's own root, through its socket."""
        return subprocess.run(["mariadb", "--no-defaults", "-N", "-B", "-u", "root", "-S", self.path("mariadb", "s")],
                              input=statement, capture_output=True, text=True, check=check)

    def start_rabbitmq(self, address):
        folder = self.path("rabbitmq", "x").parent
        amqp, http, dist, epmd = (free_port(address) for _ in range(4))
        self.facts.update(AMQP_HOST=address, AMQP_PORT=amqp, RABBITMQ_PORT=http, RABBITMQ_PASSWORD=secrets.token_hex(16))
        (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {address}:{amqp}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {http}\n"
            f"default_user = ocim\ndefault_pass = {self.facts['RABBITMQ_PASSWORD']}\ndisk_free_limit.absolute = 50MB\n"
            "loopback_users = none\n")
        (folder / "rabbitmq.conf").chmod(0o600)
        environment = {
            "RABBITMQ_NODENAME": f"ocim{amqp}@localhost", "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"), "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"), "HOME": str(folder),
            "RABBITMQ_DIST_PORT": str(dist), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(epmd)}
        # epmd in the foreground of our own session: the broker's would outlive everything
        self.start("epmd", [next(pathlib.Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))], environment)
        self.wait_until_up("epmd", lambda: answers("127.0.0.1", epmd))
        self.start("rabbitmq", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], environment)
        self.wait_until_up("rabbitmq", lambda: self.rabbitmq_api("whoami") is not None, 240)

    def rabbitmq_api(self, path, user="ocim", password=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.facts['RABBITMQ_PORT']}/api/{path}")
        word = base64.b64encode(f"{user}:{password or self.facts['RABBITMQ_PASSWORD']}".encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.load(reply)
        except OSError:
            return None

    def start_powerdns(self, domain):
        folder = self.path("powerdns", "x").parent
        dns, http = free_port(), free_port()
        self.facts.update(DNS_PORT=dns, POWERDNS_PORT=http, POWERDNS_KEY=secrets.token_hex(16))
        schema = pathlib.Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql").read_text()
        subprocess.run(["sqlite3", folder / "p.db"], input=schema, text=True, check=True)
        (folder / "pdns.conf").write_text(
            f"launch=gsqlite3\ngsqlite3-database={folder}/p.db\ngsqlite3-pragma-synchronous=0\n"
            f"local-address=127.0.0.1:{dns}\nsocket-dir={folder}\nguardian=no\ndaemon=no\ndisable-syslog=yes\n"
            f"api=yes\napi-key={self.facts['POWERDNS_KEY']}\nwebserver-port={http}\n")
        (folder / "pdns.conf").chmod(0o600)
        self.start("powerdns", ["pdns_server", f"--config-dir={folder}"])
        self.wait_until_up("powerdns", lambda: self.powerdns_api("GET", "/zones") is not None)
        zone = {"name": f"{domain}.", "kind": "Native", "nameservers": [f"ns1.{domain}."]}
        if self.powerdns_api("POST", "/zones", zone) is None:
            raise StageError(f"PowerDNS made no zone {domain}")

    def powerdns_api(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.facts['POWERDNS_PORT']}/api/v1/servers/localhost{path}", method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"X-API-Key": self.facts["POWERDNS_KEY"], "Accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                text = reply.read()
                return json.loads(text) if text else {}
        except OSError:
            return None

    def start_haproxy(self):
        folder = self.path("haproxy", "x").parent
        port = free_port()
        self.facts.update(HTTP_PORT=port, HAPROXY_DIRECTORY=str(folder / "ocim"), HAPROXY_CONFIG=str(folder / "base.cfg"),
                          HAPROXY_MASTER=str(folder / "master.sock"))
        (folder / "ocim" / "v1" / "conf.d").mkdir(parents=True)
        (folder / "ocim" / "v1" / "domains.map").touch()
        (folder / "ocim" / "v1" / "haproxy.cfg").touch()
        (folder / "ocim" / "current").symlink_to("v1")
        domains = folder / "ocim" / "current" / "domains.map"
        (folder / "base.cfg").write_text(
            "global\n    maxconn 1000\n    hard-stop-after 5m\n"
            "defaults\n    mode http\n    timeout connect 5s\n    timeout client 50s\n    timeout server 2m\n"
            "    option redispatch\n    retries 3\n    option idle-close-on-response\n"
            f"frontend web\n    bind 127.0.0.1:{port}\n"
            f"    use_backend %[req.hdr(host),field(1,:),lower,map_str({domains})]\n    default_backend nothing_here\n"
            "backend nothing_here\n    http-request return status 404 content-type text/plain string \"no such site\\n\"\n")
        self.start("haproxy", ["haproxy", "-W", "-db", "-S", folder / "master.sock", "-p", folder / "pid",
                               "-f", folder / "base.cfg", "-f", folder / "ocim" / "current" / "haproxy.cfg"])
        self.wait_until_up("haproxy", lambda: answers("127.0.0.1", port))

    def start_git(self, address, source):
        """Serves the folder `source` as the repository git://ADDRESS:PORT/configuration, with one commit."""
        port, folder = free_port(address), self.path("git", "x").parent
        self.facts.update(GIT_HOST=address, GIT_PORT=port, REPOSITORY=f"git://{address}:{port}/configuration")
        work = folder / "configuration"
        shutil.copytree(source, work)
        identity = {"GIT_AUTHOR_NAME": "Demo", "GIT_AUTHOR_EMAIL": "demo@example.com", "GIT_COMMITTER_NAME": "Demo",
                    "GIT_COMMITTER_EMAIL": "demo@example.com", "HOME": str(folder)}
        for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "A site for a demonstration"]):
            subprocess.run(["git", *command], cwd=work, check=True, env={**os.environ, **identity})
        self.start("git", ["git", "daemon", "--reuseaddr", "--export-all", f"--base-path={folder}", f"--listen={address}",
                           f"--port={port}", folder], {"HOME": str(folder)})
        self.wait_until_up("git", lambda: answers(address, port))

    def make_ssh_key(self):
        key = self.path("ssh", "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", key], check=True)
        self.facts.update(SSH_PUBLIC_KEY=" ".join(key.with_suffix(".pub").read_text().split()[:2]))
        return key

    # --- manifests

    def fill_in(self, value):
        """`value` with every ${NAME} in its texts replaced; a text that is only one keeps the fact's own type."""
        if isinstance(value, dict):
            return {k: self.fill_in(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.fill_in(v) for v in value]
        if isinstance(value, str):
            for name, fact in self.facts.items():
                if value == "${" + name + "}":
                    return fact
                value = value.replace("${" + name + "}", str(fact))
        return value

    def manifests(self, folder):
        import yaml  # Debian's python3-yaml
        out = []
        for path in sorted(pathlib.Path(folder).glob("*.yaml")):
            out += [self.fill_in(item) for item in yaml.safe_load_all(path.read_text()) if item]
        return out

    # --- all of it

    def raise_curtain(self, domain="example.test", say=lambda text: None):
        """Starts Ocim and every server, and makes the backends that stand for them. Needs root: machines are made."""
        self.facts.update(DOMAIN=domain)
        say("starting ocim")
        gateway = self.raise_cloud()
        for name, begin in (("MariaDB", lambda: self.start_mariadb(gateway)),
                            ("RabbitMQ", lambda: self.start_rabbitmq(gateway)),
                            ("PowerDNS", lambda: self.start_powerdns(domain)), ("HAProxy", self.start_haproxy),
                            ("a Git server", lambda: self.start_git(gateway, ROOT / "manifests/samples/demo/playbook"))):
            say(f"starting {name}")
            begin()
        self.apply(self.secret("mysql-admin", {"username": "ocim", "password": self.facts["MYSQL_ADMIN_PASSWORD"]}),
                   self.secret("rabbitmq-admin", {"username": "ocim", "password": self.facts["RABBITMQ_PASSWORD"]}),
                   self.secret("powerdns", {"apiKey": self.facts["POWERDNS_KEY"]}))
        say("declaring the backends")
        self.apply(*self.manifests(ROOT / "manifests/samples/demo/backends"))
        self.path("facts.json").write_text(json.dumps(self.facts))
        self.path("facts.json").chmod(0o600)

    def raise_cloud(self, *flags):
        """Starts Ocim with a cloud on a network of its own; the address of this host there."""
        key = self.make_ssh_key()
        self.start_ocim(*flags)
        with one_at_a_time():
            network = free_subnet()
            self.facts.update(SUBNET=str(network), GATEWAY=str(network[1]))
            self.apply(self.secret("demo-ssh", {"ssh-privatekey": key.read_text()}),
                       *[m for m in self.manifests(ROOT / "manifests/samples/demo/backends") if m["kind"] == "Cloud"])
            self.kubectl("wait", "--for=condition=Ready", "cloud/local", "--timeout=120s", seconds=150)
        return self.facts["GATEWAY"]

    def lower_curtain(self):
        """Stops everything that was started here and takes every machine away."""
        for name in list(self.processes):
            self.stop(name)
        remove_machines(self.directory / "ocim")


def remove_machines(data_directory):
    """Machines outlive the controller; without one they are taken away like this."""
    for folder in pathlib.Path(data_directory).glob("local-cloud/*/*"):
        if not folder.is_dir():
            continue  # the note about the bridge, which is read below
        bridge = None
        try:
            bridge = json.loads((folder / "machine.json").read_text())["bridge"]
        except (OSError, ValueError, KeyError):
            pass
        subprocess.run([str(OCIM), "machine", "remove", str(folder)], check=True)
        if bridge:
            subprocess.run([str(OCIM), "machine", "unbridge", bridge], check=True)
    for bridge in pathlib.Path(data_directory).glob("local-cloud/*/.bridge"):
        subprocess.run([str(OCIM), "machine", "unbridge", bridge.read_text().strip()], check=True)
