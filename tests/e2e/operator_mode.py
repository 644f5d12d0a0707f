"""support.Ocim in operator mode: the API server, and the controllers in a process of their own with the rights that manifests/install
gives them and no others.

What they asked the API server for is in `proxy.answers`, and what of it in the place of somebody else in `proxy.in_place_of`.
"""
import json
import subprocess
import sys

import yaml

from support import PROGRAM, ROOT, Ocim

sys.path.insert(0, str(ROOT / "tests" / "support"))
from api_proxy import ApiProxy  # noqa: E402

ADMITTED = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


class OperatorOcim(Ocim):
    def __init__(self, *flags):
        super().__init__()
        self.controller_flags = flags
        self.controllers = self.proxy = None

    def start(self):
        super().start()
        for name in "operator", "gitops":
            self.grant(name)
        token = self.kubectl("create", "token", "ocim", "-n", "ocim-system", "--duration=24h").stdout.strip()
        folder = self.home / "proxy"
        folder.mkdir()
        self.proxy = ApiProxy(self.data / "kubeconfig", folder, token=token).__enter__()
        return self.start_controllers()

    def manifests(self, name):
        return list(yaml.safe_load_all((ROOT / f"manifests/install/{name}.yaml").read_text()))

    def grant(self, name):
        """The rights of manifests/install/NAME.yaml."""
        items = [m for m in self.manifests(name) if m["kind"] in ADMITTED]
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def start_controllers(self):
        with open(self.log, "ab") as log:
            self.controllers = subprocess.Popen(
                [PROGRAM, "controller", "--data-dir", str(self.home / "controllers"), "--kubeconfig", str(self.proxy.kubeconfig),
                 "--metrics-listen", "127.0.0.1:0", *self.controller_flags], stdout=log, stderr=log)
        return self

    def kill_controllers(self):
        """kill -9, as when the node dies."""
        self.controllers.kill()
        self.controllers.wait()

    def close(self):
        if self.controllers:
            self.kill_controllers()
        if self.proxy:
            self.proxy.__exit__()
        super().close()
