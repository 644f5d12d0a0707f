#!/usr/bin/python3
"""The program that counts on a server, run on a tree that looks like one."""
import gzip
import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).resolve().parents[3] / "reconcilers/openedx/activity.sh"
LINE = '- - {} - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1\n'


class Activity(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.edx = pathlib.Path(self.folder.name) / "edx with space"
        os.chmod(self.folder.name, 0o755)
        self.app = self.edx / "app/edxapp"
        (self.edx / "var/log/nginx").mkdir(parents=True)

    def tearDown(self):
        self.folder.cleanup()

    def counted(self):
        run = subprocess.run(["sh", "-c", PROGRAM.read_text(), "ocim", str(self.edx)], capture_output=True, text=True)
        return run.stdout.splitlines()

    def write_logs(self):
        logs = self.edx / "var/log/nginx"
        (logs / "access.log").write_text(LINE.format("192.0.2.1") * 3 + LINE.format("192.0.2.2") +
                                         '10.0.0.1 - 192.0.2.7 - - "GET /"\n- - unknown "GET /"\n- - 192.0.2.3.4 x\n')
        (logs / "access.log.1").write_text(LINE.format("192.0.2.1") + LINE.format("198.51.100.20"))
        with gzip.open(logs / "access.log.2.gz", "wt") as old:
            old.write(LINE.format("203.0.113.4"))

    def install(self, settings='export DJANGO_SETTINGS_MODULE="lms.envs.openstack"\n', startup=False, courses="[1, 2]"):
        """A stand-in for edx-platform: the modules that are asked, which check how they are."""
        platform = self.app / "edx-platform"
        files = {
            "django/__init__.py": 'import os, pwd\ndef setup():\n    open(os.environ["SEEN"], "a").write("%s %s %s\\n" % '
                                  '(pwd.getpwuid(os.geteuid()).pw_name, os.environ["DJANGO_SETTINGS_MODULE"], '
                                  'os.environ["SERVICE_VARIANT"]))\n',
            "django/contrib/__init__.py": "",
            "django/contrib/auth.py": "class User:\n    class objects:\n        count = staticmethod(lambda: 42)\n"
                                      "def get_user_model(): return User\n",
            "xmodule/__init__.py": "", "xmodule/modulestore/__init__.py": "",
            "xmodule/modulestore/django.py": f"class Store:\n    def get_courses(self): return {courses}\n"
                                             "def modulestore(): return Store()\n"}
        if startup:
            files |= {"lms/__init__.py": "", "lms/startup.py": "import django\nrun = django.setup\n"}
        for name, text in files.items():
            (platform / name).parent.mkdir(parents=True, exist_ok=True)
            (platform / name).write_text(text)
        python = self.app / "venvs/edxapp/bin/python"
        python.parent.mkdir(parents=True)
        python.symlink_to("/usr/bin/python3")
        (self.app / "lms.sh").write_text("#!/bin/bash\n" + settings)
        self.seen = self.edx / "seen"
        self.seen.touch()
        self.seen.chmod(0o666)
        (self.app / "edxapp_env").write_text(f'export SEEN="{self.seen}" PYTHONDONTWRITEBYTECODE=1\n')

    def test_visitors_are_counted_once_over_all_logs(self):
        self.write_logs()
        self.assertEqual(self.counted(), ["hits 4"])

    def test_no_log_is_no_count_and_an_empty_one_is_none(self):
        self.assertEqual(self.counted(), [])
        (self.edx / "var/log/nginx/access.log").touch()
        self.assertEqual(self.counted(), ["hits 0"])

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user")
    def test_the_lms_is_asked_as_its_own_user_with_its_own_settings(self):
        for startup in (False, True):
            with self.subTest(startup=startup):
                self.tearDown()
                self.setUp()
                self.install(startup=startup)
                self.write_logs()
                self.assertEqual(self.counted(), ["hits 4", "users 42", "courses 2"])
                self.assertEqual(self.seen.read_text(), "www-data lms.envs.openstack lms\n")

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user")
    def test_what_fails_does_not_take_the_rest_with_it(self):
        self.install(courses="1 / 0")
        self.assertEqual(self.counted(), ["users 42"])

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user")
    def test_settings_that_are_no_name_are_not_used(self):
        self.install(settings='export DJANGO_SETTINGS_MODULE="$(touch /tmp/x)"\n')
        self.assertEqual(self.counted(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
