#!/usr/bin/python3
"""Every kubectl command in a page's blocks of shell is understood: by kubectl, and by the server with the samples that it names.

What needs a system that is not there may wait in vain or find nothing; it may not be misspelt, refused or unknown.
"""
import re
import unittest

from console import Shell
from pages import ROOT, blocks, name, written

# why a good command may fail here: what it looks at is made by what precedes it in the page, or is a file of the reader's
MAY_BE_MISSING = re.compile(r"\(NotFound\)|\(AlreadyExists\)|timed out waiting|no such file or directory|error reading|exit 124")
START = """ocim serve --data-dir ~/ocim >~/log 2>&1 &
curl --silent --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:7480/readyz
install -D ~/ocim/kubeconfig ~/.kube/config
for tenant in campus sandboxes tools school; do kubectl create namespace $tenant; done"""
CLUSTER_ONLY = {"docs/operator-mode.md", "docs/install-helm.md"}  # for a Kubernetes cluster


def commands(page):
    for language, block in blocks(page.read_text()):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("kubectl ") and not line.count("'") % 2:
                    yield line.replace("…", "AAAA")


def quick(command):
    """The same without waiting for what does not come."""
    return "timeout 20 " + re.sub(r"^(kubectl wait) ", r"\1 --timeout=1s ", command).removesuffix(" -w")


class Kubectl(unittest.TestCase):
    maxDiff = None

    def test_every_command_is_understood(self):
        wrong, count = [], 0
        with Shell(ROOT) as shell:
            shell.run(START)
            for page in written():
                for command in commands(page) if name(page) not in CLUSTER_ONLY else ():
                    status, printed = shell.run(quick(command))
                    count += 1
                    if status and not MAY_BE_MISSING.search(f"{printed} exit {status}"):
                        wrong.append(f"{name(page)}: {command}\n{printed}")
        self.assertEqual("\n".join(wrong), "")
        self.assertGreater(count, 20, "hardly a command was found")


if __name__ == "__main__":
    unittest.main()
