#!/usr/bin/python3
"""What people write arrives at the far end as it is: declared in the Instance, read back on the machine by Ansible."""
import hashlib
import json
import unittest

from case import READY, Scenario, wait_for

NAME = "Hochschule \"Ünï\" {{ 7*7 }} {% if %} it's `here` $(id) \\ 🎓 : # no"
PASSWORD = "a'b\"c\\d$e`f g\th{ü}🎓: #%&@!"

# What a reader of YAML, Jinja or a shell could take for something else.
VARIABLES = {
    "T_QUOTES": "' \" ` \\ \\n \\u00fc",
    "T_UNICODE": "grüße 漢字 🎓 \u200b\u2028\u00a0.",
    "T_LINES": "one\ntwo\r\n\n  three\t\n",
    "T_EDGES": "  blanks at both ends  ",
    "T_CONTROL": "bell\x07 escape\x1b delete\x7f nel\x85",
    "T_COLON": "a: b # c", "T_HASH": "# not a comment", "T_DASH": "- not a list", "T_DOCUMENT": "---", "T_END": "...",
    "T_ANCHOR": "&a *b !c", "T_BRACES": "{a: b}", "T_BRACKETS": "[a, b]", "T_PIPE": "|\n  a", "T_TILDE": "~",
    "T_NO": "no", "T_YES": "Yes", "T_ON": "on", "T_TRUE": "true", "T_NULL": "null", "T_EMPTY": "",
    "T_HEX": "0x1", "T_OCTAL": "0123", "T_EXPONENT": "1e3", "T_FLOAT": "1.50", "T_INFINITY": ".inf", "T_TIME": "1:30:00",
    "T_DATE": "2026-11-22", "T_LONG": "x" * 5000, "T_SHELL": "$(touch /tmp/x); `id` && rm -rf /",
    "N_INTEGER": 42, "N_NEGATIVE": -7, "N_LARGE": 9007199254740993, "N_FLOAT": 1.5, "N_TINY": 1e-7, "N_HUGE": 1e300,
    "N_THOUSAND": 1000.0, "B_TRUE": True, "B_FALSE": False,
    "NESTED": {"list": [1, "two", {"three": [True, "no"]}, []], "a: b": "key of blanks", "ü": {}, "0x1": "0x1"},
}
HASH = "pbkdf2_sha256$20000$levJ6jdVYCsu$gdBLGf2DNPqfaKdcETXtFocRU8Kk+sMsIvKkmw1dKbY="
# an operator's template stays one, and can say that it is none
TEMPLATES = {"J_SUM": "{{ 6 * 7 }}", "J_RAW": "{% raw %}{{ 6 * 7 }}{% endraw %}"}


class Text(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.declare_site()

    def address(self, name):
        return self.stage.get("appserver", f"{name}-1", "-n", "campus")["status"]["addresses"][0]

    def variables(self, name):
        """The variables that were asked for, as Ansible had them."""
        return json.loads(self.ssh(self.address(name), "cat /opt/site/variables.json").stdout)

    def document(self, name):
        """The variables as they were written for Ansible, read by another YAML reader."""
        import yaml

        class Reader(yaml.SafeLoader):
            pass

        Reader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
        return yaml.load(self.ssh(self.address(name), "cat /var/lib/ocim/runs/*/variables.yml").stdout, Reader)

    @staticmethod
    def user(name, **more):
        return {"username": name, "email": f"{name}+{{{{7*7}}}}@example.edu", "passwordHashRef": {"name": "people", "key": "dana"}, **more}

    def test_01_every_text_and_number_arrives(self):
        shown = [*VARIABLES, *TEMPLATES, "EDXAPP_PLATFORM_NAME", "OWN_PASSWORD", "OWN_NOTHING", "EDXAPP_CONTACT_EMAIL"]
        self.stage.apply(
            self.stage.secret("own", {"vars": json.dumps({
                "OWN_PASSWORD": "{% raw %}" + PASSWORD + "{% endraw %}", "OWN_NOTHING": None})},
                              namespace="campus"),
            self.stage.secret("people", {"dana": HASH + "\n"}, namespace="campus"),
            self.instance("words", admins={"lmsUsers": [self.user("dana", superuser=False)]}, displayName=NAME, email="o'neil+a@example.com", configuration={
                "extraVars": {**VARIABLES, **TEMPLATES, "DEMO_SHOW": shown},
                "extraVarsFrom": [{"secretRef": {"name": "own"}}]}))
        self.wait_ready(name="words")
        arrived = self.variables("words")
        for name, value in VARIABLES.items():
            self.assertEqual(arrived[name], value, name)
            if not (isinstance(value, float) and value.is_integer()):  # to kubectl 1000.0 is 1000
                self.assertIs(type(arrived[name]), type(value), name)
        self.assertEqual(arrived["EDXAPP_PLATFORM_NAME"], NAME)
        self.assertEqual(arrived["EDXAPP_CONTACT_EMAIL"], "o'neil+a@example.com")
        self.assertEqual(arrived["OWN_PASSWORD"], PASSWORD)
        self.assertIsNone(arrived["OWN_NOTHING"])
        self.assertEqual(str(arrived["J_SUM"]), "42")
        self.assertEqual(arrived["J_RAW"], "{{ 6 * 7 }}")
        written = self.document("words")
        for name, value in {**VARIABLES, **TEMPLATES, "EDXAPP_PLATFORM_NAME": NAME}.items():
            self.assertEqual(written[name], value, name)
        self.assertIn(NAME, self.wait_served("words.example.test"))

    def test_02_the_mail_relay_of_the_class(self):
        # a class of its own: sites of a class that changes get new servers, and the next tests count those of another
        relayed = self.stage.get("instanceclass", "demo")["spec"]
        relayed["smtpRelay"] = {"host": "smtp.example.net", "port": 2525, "credentialsRef": {"name": "smtp"}}
        self.stage.apply(
            self.stage.secret("smtp", {"username": "u'ser", "password": PASSWORD}),
            {"apiVersion": "ocim.opencraft.com/v1alpha1", "kind": "InstanceClass", "metadata": {"name": "relayed"},
             "spec": relayed},
            self.instance("mailing", className="relayed", displayName="Mail", configuration={"extraVars": {"DEMO_SHOW": [
                "POSTFIX_QUEUE_EXTERNAL_SMTP_PASSWORD", "POSTFIX_QUEUE_EXTERNAL_SMTP_USER"]}}))
        self.wait_ready(name="mailing")
        self.assertEqual(self.variables("mailing"), {"POSTFIX_QUEUE_EXTERNAL_SMTP_PASSWORD": PASSWORD,
                                                     "POSTFIX_QUEUE_EXTERNAL_SMTP_USER": "u'ser"})
        written = self.document("mailing")
        self.assertEqual(written["POSTFIX_QUEUE_EXTERNAL_SMTP_HOST"], "smtp.example.net")
        self.assertEqual(str(written["POSTFIX_QUEUE_EXTERNAL_SMTP_PORT"]), "2525")
        told = self.stage.kubectl("get", "ocim,events.events.k8s.io", "-A", "-o", "json").stdout
        self.assertNotIn(json.dumps(PASSWORD)[1:-1], told + self.stage.path("log", "ocim.log").read_text())

    def test_03_ephemeral_databases_live_on_the_machine(self):
        before = self.databases()
        vhosts = {v["name"] for v in self.stage.rabbitmq_api("vhosts")}
        self.stage.apply(self.instance("fleeting", databases={"mode": "Ephemeral"}))
        self.wait_ready(name="fleeting")
        written = self.document("fleeting")
        self.assertFalse([n for n in written if n.startswith(("EDXAPP_MYSQL", "EDXAPP_CELERY", "XQUEUE_RABBITMQ",
                                                              "COMMON_MYSQL"))], "the playbook's own servers are meant")
        self.assertIsNone(self.stage.get("databasetenant", "fleeting-mysql", "-n", "campus"))
        self.assertIsNone(self.stage.get("rabbitmqvhost", "fleeting-rabbitmq", "-n", "campus"))
        self.assertEqual(self.databases(), before)
        self.assertEqual({v["name"] for v in self.stage.rabbitmq_api("vhosts")}, vhosts)
        self.assertIn("fleeting at fleeting.example.test", wait_for("it is served", lambda: (
            page := self.page("fleeting.example.test"))[0] == 200 and page[1], READY))

    def test_04_users_of_the_lms_are_made_by_the_second_playbook(self):
        digest = hashlib.sha256(HASH.encode()).hexdigest()
        users = self.ssh(self.address("words"), "cat /opt/site/users").stdout
        self.assertEqual(users, f"dana,dana+{{{{7*7}}}}@example.edu,True,False,{digest}\n")
        self.assertTrue(self.instance_status("words")["successfullyProvisioned"])
        # a site that ran once goes on without a user that cannot be made; a new one does not begin without
        self.patch("instance", "words", {"spec": {"admins": {"lmsUsers": [self.user("taken")]}}})
        self.stage.apply(self.instance("strict", rollout={"attempts": 1}, admins={"lmsUsers": [self.user("taken")]}))
        wait_for("it failed", lambda: self.condition("appserver", "strict-1", "Configured")["reason"] == "UsersFailed", READY)
        status = self.stage.get("provisioningrun", "strict-1-1", "-n", "campus")["status"]
        self.assertEqual((status["failedStep"], status["exitCode"], status["failedTask"]), ("Users", 2, "Manage users"))
        wait_for("the next server serves", lambda: self.instance_status("words")["activeAppServers"] == ["words-2"], READY)

        def log(appserver):
            found = self.stage.get("configmap", f"{appserver}-log", "-n", "campus")
            return found and found["data"]["log"].count("PLAY RECAP") == 2 and found["data"]["log"]
        logs = [wait_for(f"the log of {name} is kept", lambda: log(name), 60) for name in ("words-1", "words-2", "strict-1")]
        self.assertIn("taken", logs[1], "the next server is the one that could not make that user")
        for text in logs:
            self.assertIn("'initial_password_hash': '********'", text, "it is shown, masked")
        told = self.stage.kubectl("get", "ocim,events.events.k8s.io,configmaps", "-A", "-o", "json").stdout
        self.assertNotIn(HASH, "".join(logs) + told + self.stage.path("log", "ocim.log").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
