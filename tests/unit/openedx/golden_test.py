#!/usr/bin/python3
"""The secrets in golden/ once more, with Python's HMAC, and the vectors that sites which exist depend on."""
import base64
import hashlib
import hmac
import pathlib
import unittest

import yaml

FOLDER = pathlib.Path(__file__).resolve().parent / "golden"
MASTER_KEY = bytes(range(36))
MYSQL_KEY = b"0123456789abcdefghijABCDEFGHIJ01"
DERIVED = """ANALYTICS_API_SECRET_KEY CREDENTIALS_SECRET_KEY DISCOVERY_SECRET_KEY DISCOVERY_SOCIAL_AUTH_EDX_OIDC_KEY
DISCOVERY_SOCIAL_AUTH_EDX_OIDC_SECRET ECOMMERCE_CYBERSOURCE_SECRET_KEY ECOMMERCE_SECRET_KEY
ECOMMERCE_SOCIAL_AUTH_EDX_OIDC_KEY ECOMMERCE_SOCIAL_AUTH_EDX_OIDC_SECRET ECOMMERCE_WORKER_JWT_SECRET_KEY
EDXAPP_ANALYTICS_API_KEY EDXAPP_EDXAPP_SECRET_KEY EDXAPP_EDX_API_KEY EDXAPP_JWT_SECRET_KEY
EDXAPP_PROFILE_IMAGE_SECRET_KEY EDX_NOTES_API_SECRET_KEY FORUM_API_KEY INSIGHTS_SECRET_KEY NOTIFIER_LMS_SECRET_KEY
PROGRAMS_SECRET_KEY""".split()
COPIES = {"ECOMMERCE_EDX_API_KEY": "EDXAPP_EDX_API_KEY", "NOTIFIER_USER_SERVICE_API_KEY": "EDXAPP_EDX_API_KEY",
          "EDXAPP_COMMENTS_SERVICE_KEY": "FORUM_API_KEY", "NOTIFIER_COMMENT_SERVICE_API_KEY": "FORUM_API_KEY"}


class Loader(yaml.SafeLoader):
    """Knows the one tag of Ansible's that is used."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def table(name):
    return list(yaml.load_all((FOLDER / f"{name}.yml").read_text(), Loader))


def hmac_hex(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Golden(unittest.TestCase):
    def test_secrets_are_the_hmac_of_their_names(self):
        secrets, = table("secrets")
        wanted = {name: hmac_hex(MASTER_KEY, name) for name in DERIVED}
        wanted |= {name: wanted[of] for name, of in COPIES.items()}
        self.assertEqual(secrets, wanted)
        self.assertEqual(wanted["EDXAPP_EDX_API_KEY"], "607317d396bdfb5a66f295bf811ff753bf5f68ecb9baba3900a46f543052785e")
        self.assertEqual(wanted["FORUM_API_KEY"], "42fe6ce32f851486a86f7dc9ecd4a766279b5fc363ace46fd7236ba9626771c5")

    def test_basic_auth_is_half_as_long(self):
        for site in table("system"):
            user, password = site["COMMON_HTPASSWD_USER"], site["COMMON_HTPASSWD_PASS"]
            self.assertEqual(user, hmac_hex(MASTER_KEY, "COMMON_HTPASSWD_USER")[:16])
            self.assertEqual(base64.b64encode(f"{user}:{password}".encode()),
                             b"NmExNjg3ZTgxNzM1MTM4YTo3NjNlZmI4MjU0YmY5MjEy")

    def test_passwords_of_databases_are_the_hmac_of_the_user(self):
        none, mysql = table("mysql")
        self.assertEqual(none, {})
        pairs = [(mysql[name], mysql[name.replace("USER", "PASSWORD")]) for name in mysql
                 if name.endswith("USER") and name.replace("USER", "PASSWORD") in mysql]
        pairs += [(mysql[f"{name}_USER"], mysql[f"{name}_PASS"]) for name in (
            "EDX_NOTES_API_MYSQL_DB", "COMMON_MYSQL_MIGRATE", "COMMON_MYSQL_READ_ONLY", "COMMON_MYSQL_ADMIN")]
        for name in "ECOMMERCE_DATABASES", "INSIGHTS_DATABASES", "PROGRAMS_DATABASES", "ANALYTICS_API_DATABASES":
            pairs += [(each["USER"], each["PASSWORD"]) for each in mysql[name].values()]
        for user, password in pairs:
            self.assertEqual(password, hmac_hex(MYSQL_KEY, user), user)
        self.assertEqual(len({user for user, _ in pairs}), 13, "each of the thirteen users")
        self.assertEqual(mysql["EDXAPP_MYSQL_PASSWORD"], "1423fd855b199f92acfb238d971636a73448649832c0ff765b47912ba35dcade")

    def test_texts_arrive_as_they_are_and_references_stay_references(self):
        self.assertEqual(table("platform")[1]["EDXAPP_PLATFORM_NAME"], 'Üniversity "Smith & <Sons>" {{ 7*7 }}')
        self.assertEqual(table("mail")[1]["POSTFIX_QUEUE_EXTERNAL_SMTP_PASSWORD"], "r&{{y}}")
        self.assertEqual(table("system")[0]["COMMON_JWT_SECRET_KEY"], "{{ EDXAPP_JWT_SECRET_KEY }}")
        for name, line in [("COMMON_JWT_SECRET_KEY", ""), ("COMMON_HTPASSWD_USER", "!unsafe ")]:
            self.assertIn(f'"{name}": {line}"', (FOLDER / "system.yml").read_text())


    def test_users_of_the_lms_are_as_their_playbook_wants_them(self):
        strict, lenient, own = table("lms-users")
        dana = {"email": "dana@example.edu", "username": "dana", "staff": True, "superuser": True, "initial_password_hash":
                "pbkdf2_sha256$20000$levJ6jdVYCsu$gdBLGf2DNPqfaKdcETXtFocRU8Kk+sMsIvKkmw1dKbY="}
        self.assertEqual(strict, {"django_users": [dana], "django_groups": [], "ignore_user_creation_errors": "False"})
        self.assertEqual((lenient["ignore_user_creation_errors"], lenient["EDXAPP_SETTINGS"]), ("True", "openstack"))
        self.assertEqual([(u["username"], u["email"], u["superuser"]) for u in lenient["django_users"]],
                         [("dana", "dana@example.edu", True), ("kim", "o'neil+{{ 7*7 }}@example.edu", False)])
        self.assertEqual(set(own), set(lenient), "no other variable of the site")
        self.assertEqual(own["EDXAPP_SETTINGS"], "mine")


if __name__ == "__main__":
    unittest.main()
