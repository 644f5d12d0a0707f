#!/usr/bin/python3
"""What reconcilers/openedx/run_script.sh says it failed in, and what it keeps from run to run, with the real git and pip."""
import functools
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

PROGRAMS = os.path.abspath("reconcilers/openedx")
sys.path.insert(0, "tests/support/tutor")
import wheel  # noqa: E402


class Index(http.server.BaseHTTPRequestHandler):
    """A package index that answers everything with one status."""

    def __init__(self, status, *rest):
        self.status = status
        super().__init__(*rest)

    def do_GET(self):
        body = b"no"
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class RunScript(unittest.TestCase):
    def setUp(self):
        home = tempfile.TemporaryDirectory(prefix="ocim-run-script-")
        self.addCleanup(home.cleanup)
        self.home = home.name

    def index(self, status):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Index, status))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/simple"

    def nobody(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        server.server_close()
        return f"http://127.0.0.1:{server.server_port}/simple"

    def repository(self, files):
        source = os.path.join(self.home, f"{len(os.listdir(self.home))}.git")
        os.makedirs(source)
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=source, check=True)
        self.commit(source, files)
        return source

    def commit(self, source, files):
        for name, text in files.items():
            with open(os.path.join(source, name), "w", encoding="utf-8") as file:
                file.write(text)
        for words in (["add", "."], ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "one"]):
            subprocess.run(["git", *words], cwd=source, check=True)
        return subprocess.run(["git", "rev-parse", "HEAD"], cwd=source, check=True, capture_output=True, text=True).stdout.strip()

    def start(self, source, requirements="", index="http://127.0.0.1:9/simple", version="main", cache="cache", users=None):
        """The folder of a run that has ended."""
        folder = os.path.join(self.home, f"{len(os.listdir(self.home))}.run")
        os.makedirs(folder)
        shutil.copy(os.path.join(PROGRAMS, "run_ansible.sh"), os.path.join(folder, "provision.sh"))
        with open(os.path.join(folder, "variables.yml"), "w", encoding="utf-8") as file:
            file.write("{}")
        if users:
            shutil.copy(os.path.join(folder, "variables.yml"), os.path.join(folder, "users.yml"))
        environment = dict(os.environ, PIP_INDEX_URL=index, PIP_RETRIES="1", PIP_CONFIG_FILE=os.devnull, HOME=self.home,
                           PIP_DISABLE_PIP_VERSION_CHECK="1", no_proxy="*", PATH=f"{self.home}/bin:{os.environ['PATH']}")
        return folder, subprocess.Popen(
            ["setsid", "-w", "sh", os.path.join(PROGRAMS, "run_script.sh"), folder, os.path.join(self.home, cache), "boot 1",
             "60", "120", source, version, "site.yml", requirements, *([users] if users else [])], env=environment, stdin=subprocess.DEVNULL)

    def run_to_the_end(self, *arguments, **named):
        folder, process = self.start(*arguments, **named)
        process.wait(180)
        self.log = self.text(folder, "log")
        return folder

    def text(self, folder, name):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.read().strip()

    def failed_step(self, requirements, index="http://127.0.0.1:9/simple", named="pip.txt"):
        folder = self.run_to_the_end(self.repository({"pip.txt": requirements}), named, index)
        self.assertNotEqual(self.text(folder, "exit"), "0")
        return self.text(folder, "step")

    def test_tells_what_was_not_reached_from_what_is_wrong(self):
        for reason, step, arguments in (
                ("nobody answers", "download", ("ansible\n", self.nobody())),
                ("the index has trouble of its own", "download", ("ansible\n", self.index(503))),
                ("the index knows no such package", "requirements", ("no-such-package\n", self.index(404))),
                ("what stands in the file means nothing", "requirements", ("==/==\n",)),
                ("the file is not there", "requirements", ("", "", "other.txt")),
                ("nothing is required: the playbook is next", "playbook", ("",))):
            with self.subTest(reason):
                self.assertEqual(self.failed_step(*arguments), step, self.log)

    def test_a_second_playbook_follows_the_first_in_the_same_run(self):
        self.stand_in_for_ansible('echo "$PWD $*"\n[ ! -e "${0%/*}/${7##*/}" ]')
        source = self.repository({"site.yml": "one"})
        for reason, broken, users, step, code, played in (
                ("there is no second one", "", None, "playbook", "0", ["site.yml"]),
                ("both succeed", "", "more/users.yml", "users", "0", ["site.yml", "users.yml"]),
                ("the first fails: the second does not begin", "site.yml", "users.yml", "playbook", "1", ["site.yml"]),
                ("the second fails", "users.yml", "users.yml", "users", "1", ["site.yml", "users.yml"])):
            with self.subTest(reason):
                for name in ("site.yml", "users.yml"):
                    if os.path.exists(f"{self.home}/bin/{name}"):
                        os.remove(f"{self.home}/bin/{name}")
                if broken:
                    open(f"{self.home}/bin/{broken}", "w", encoding="utf-8").close()
                os.makedirs(f"{source}/more", exist_ok=True)
                self.commit(source, {"more/users.yml": reason})
                folder = self.run_to_the_end(source, users=users)
                self.assertEqual((self.text(folder, "step"), self.text(folder, "exit")), (step, code), self.log)
                lines = self.log.splitlines()
                self.assertEqual([line.split()[-1] for line in lines], played)
                self.assertIn(f"@{folder}/variables.yml", lines[0])
                if len(played) > 1:
                    self.assertIn(f"@{folder}/users.yml", lines[1])
                    self.assertEqual(lines[1].split()[0].endswith("/source/more"), users.startswith("more/"))
                self.assertFalse(users and code == "0" and os.path.exists(f"{folder}/users.yml"), "hashes do not stay there")

    def test_a_mirror_is_kept_and_follows_its_repository(self):
        self.stand_in_for_ansible()
        source = self.repository({"site.yml": "one"})
        first = self.run_to_the_end(source)
        self.assertEqual((self.text(first, "exit"), self.text(first, "source/site.yml")), ("0", "one"), self.log)
        commit = self.commit(source, {"site.yml": "two"})
        second = self.run_to_the_end(source)
        self.assertEqual((self.text(second, "commit"), self.text(second, "source/site.yml")), (commit, "two"))
        mirrors = [n for n in os.listdir(f"{self.home}/cache/mirrors") if not n.endswith(".lock")]
        self.assertEqual(len(mirrors), 1)
        os.rename(source, source + ".away")
        third = self.run_to_the_end(source, version=commit)
        self.assertEqual(self.text(third, "exit"), "0", f"a commit that is there is not asked for: {self.log}")
        self.assertEqual(self.text(self.run_to_the_end(source), "step"), "fetch", "what a branch stands for is always asked")

    def test_a_mirror_that_is_damaged_is_made_anew(self):
        self.stand_in_for_ansible()
        source = self.repository({"site.yml": "one"})
        self.run_to_the_end(source)
        mirror = next(n for n in os.listdir(f"{self.home}/cache/mirrors") if not n.endswith(".lock"))
        shutil.rmtree(f"{self.home}/cache/mirrors/{mirror}/objects")
        self.run_to_the_end(source)
        self.assertEqual(self.text(self.run_to_the_end(source), "exit"), "0", self.log)

    def test_runs_share_a_mirror_and_an_environment_also_at_once(self):
        source = self.repository({"pip.txt": f"tutor @ {self.served_wheel()}\n", "site.yml": "one"})
        runs = [self.start(source, "pip.txt") for _ in range(3)]
        for folder, process in runs:
            process.wait(180)
            self.assertEqual(self.text(folder, "step"), "playbook", self.text(folder, "log"))
        self.assertEqual(len(self.environments()), 1)
        self.assertEqual(self.asked, ["/" + wheel.NAME], "downloaded once")
        # one that a crash left half made is made anew
        made = f"{self.home}/cache/environments/{self.environments()[0]}"
        os.remove(f"{made}/complete")
        os.remove(f"{made}/bin/tutor")
        self.run_to_the_end(source, "pip.txt")
        self.assertTrue(os.path.exists(f"{made}/bin/tutor") and os.path.exists(f"{made}/complete"), self.log)

    def content_key(self, files):
        folder = tempfile.mkdtemp(dir=self.home)
        for name, text in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        with open(os.path.join(PROGRAMS, "run_script.sh"), encoding="utf-8") as file:
            program = file.read().partition("<<'END'\n")[2].partition("\nEND\n")[0]
        run = subprocess.run(["python3", "-c", program, os.path.join(folder, "pip.txt")], capture_output=True, text=True, check=True)
        return run.stdout.strip()

    def test_an_environment_is_found_by_what_its_requirements_say(self):
        plain, commit = {"pip.txt": "ansible==2.10.7\n"}, "a" * 40
        named = {"pip.txt": "-r more.txt\n-c pins.txt\n", "more.txt": "ansible\n", "pins.txt": "jinja2==3.1\n"}
        self.assertEqual(self.content_key(plain), self.content_key(plain))
        self.assertEqual(self.content_key(named), self.content_key(named))
        for reason, other in (("other words", {"pip.txt": "ansible==2.10.8\n"}),
                              ("other words in a file that is named", {**named, "more.txt": "ansible<8\n"}),
                              ("other words in a constraint", {**named, "pins.txt": "jinja2==3.0\n"})):
            self.assertTrue(self.content_key(other), reason)
            self.assertNotIn(self.content_key(other), (self.content_key(plain), self.content_key(named)), reason)
        self.assertTrue(self.content_key({"pip.txt": f"git+https://example.org/a@{commit}#egg=a\n"}), "a commit stays what it is")
        for reason, text in (("a branch moves", "git+https://example.org/a@main\n"), ("a folder of the repository", "./here\n"),
                             ("an editable one", "-e .\n"), ("a file of the machine", "a @ file:///srv/a.whl\n"),
                             ("a list that lies elsewhere", "-r https://example.org/r.txt\n"), ("itself", "-r pip.txt\n"),
                             ("a list that is not there", "-r none.txt\n"), ("a name cut in two", "-r \\\nnone.txt\n")):
            self.assertEqual(self.content_key({"pip.txt": text}), "", reason)

    def environments(self):
        folder = f"{self.home}/cache/environments"
        return [n for n in os.listdir(folder) if not n.endswith(".lock")] if os.path.exists(folder) else []

    def served_wheel(self):
        """The address of something that pip installs without any index."""
        wheel.build(self.home)
        self.asked = asked = []

        class Files(http.server.SimpleHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                super().do_GET()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=self.home))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/{wheel.NAME}"

    def stand_in_for_ansible(self, program="exit 0"):
        os.makedirs(f"{self.home}/bin")
        with open(f"{self.home}/bin/ansible-playbook", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{program}\n")
        os.chmod(f"{self.home}/bin/ansible-playbook", 0o755)


if __name__ == "__main__":
    sys.exit(unittest.main())
