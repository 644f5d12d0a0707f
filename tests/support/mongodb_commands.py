"""What a MongoDB server keeps and what its commands do, as far as Ocim uses them."""
import os
import re

from mongodb_bson import Binary, Int64, Raw, encode
from mongodb_values import Refusal, Violation, credentials_for, matches

GENERIC = {"$db", "lsid", "$clusterTime", "$readPreference", "maxTimeMS", "comment", "apiVersion"}
FIELDS = {  # of each command, by the server's manual; True: must be there
    "ping": {}, "buildInfo": {}, "endSessions": {},
    "usersInfo": {"showCredentials": False, "showPrivileges": False, "showAuthenticationRestrictions": False,
                  "filter": False},
    "createUser": {"pwd": True, "roles": True, "customData": False, "writeConcern": False, "mechanisms": False,
                   "authenticationRestrictions": False, "digestPassword": False},
    "updateUser": {"pwd": False, "roles": False, "customData": False, "writeConcern": False, "mechanisms": False,
                   "authenticationRestrictions": False, "digestPassword": False},
    "dropUser": {"writeConcern": False}, "dropAllUsersFromDatabase": {"writeConcern": False},
    "dropAllRolesFromDatabase": {"writeConcern": False},
    "grantRolesToUser": {"roles": True, "writeConcern": False},
    "revokeRolesFromUser": {"roles": True, "writeConcern": False},
    "listDatabases": {"nameOnly": False, "filter": False, "authorizedDatabases": False},
    "dropDatabase": {"writeConcern": False},
    "find": {"filter": False, "projection": False, "batchSize": False, "limit": False, "singleBatch": False,
             "sort": False},
    "getMore": {"collection": True, "batchSize": False},
    "insert": {"documents": True, "ordered": False, "writeConcern": False},
    "update": {"updates": True, "ordered": False, "writeConcern": False},
    "delete": {"deletes": True, "ordered": False, "writeConcern": False},
}
WRITES = {"createUser", "updateUser", "dropUser", "dropAllUsersFromDatabase", "dropAllRolesFromDatabase",
          "grantRolesToUser", "revokeRolesFromUser", "dropDatabase", "insert", "update", "delete"}
NAMES = {2: "BadValue", 9: "FailedToParse", 11: "UserNotFound", 13: "Unauthorized", 18: "AuthenticationFailed",
         20: "IllegalOperation", 31: "RoleNotFound", 43: "CursorNotFound", 59: "CommandNotFound", 64: "WriteConcernFailed",
         73: "InvalidNamespace", 10107: "NotWritablePrimary", 13297: "DatabaseDifferCase", 10334: "BSONObjectTooLarge", 16500: "RequestRateTooLarge",
         462: "IngressRequestRateLimitExceeded", 11600: "InterruptedAtShutdown", 51003: "Location51003"}
OF_DATABASE = {
    "read": {"find", "listCollections"},
    "readWrite": {"find", "listCollections", "insert", "update", "remove", "createCollection", "createIndex"},
    "dbAdmin": {"listCollections", "dropDatabase", "collStats"},
    "userAdmin": {"createUser", "dropUser", "changePassword", "changeCustomData", "grantRole", "revokeRole", "viewUser",
                  "viewRole", "dropRole"},
}
OF_DATABASE["dbOwner"] = OF_DATABASE["readWrite"] | OF_DATABASE["dbAdmin"] | OF_DATABASE["userAdmin"]
OF_ALL = {"readAnyDatabase": "read", "readWriteAnyDatabase": "readWrite", "dbAdminAnyDatabase": "dbAdmin",
          "userAdminAnyDatabase": "userAdmin"}
OF_SERVER = {"clusterMonitor": {"listDatabases", "serverStatus"}, "backup": {"listDatabases"}}
OWN = {"admin", "config", "local"}
DOCUMENT_MAX = 16 * 1024 * 1024


class Deployment:
    """What all members of a replica set hold alike."""

    def __init__(self):
        self.settings = {"shows_credentials": True, "reply_max": DOCUMENT_MAX, "batch_max": 100_000}
        self.users = {}        # (database, name) -> document
        self.encoded = {}      # (database, name) -> the same as it is sent, with and without credentials
        self.data = {}         # database -> collection -> [document]
        self.cursors = {}
        self.commands = {}     # name -> how often
        self.violations = []

    # --- who may do what

    def allowed(self, who, action, database):
        if who is None:
            return True  # the test itself
        user = self.users.get(who)
        if user is None:
            return False
        for role in user["roles"]:
            name, at = role["role"], role["db"]
            if at == "admin" and name == "root":
                return True
            if at == "admin" and name in OF_ALL:
                if action == "listDatabases" or (action in OF_DATABASE[OF_ALL[name]] and database not in ("config", "local")):
                    return True
            if at == "admin" and action in OF_SERVER.get(name, ()):
                return True
            if at == database and action in OF_DATABASE.get(name, ()):
                return True
        return False

    def need(self, who, action, database, command):
        if not self.allowed(who, action, database):
            raise Refusal(13, f"not authorized on {database} to execute command {command}")

    # --- checks of form

    def check(self, name, command):
        if name not in FIELDS:
            raise Refusal(59, f"no such command: '{name}'")
        fields = FIELDS[name]
        for field in list(command)[1:]:
            if field not in fields and field not in GENERIC:
                raise Violation(f"{name}: BSON field '{name}.{field}' is an unknown field")
        for field, needed in fields.items():
            if needed and field not in command:
                raise Violation(f"{name}: BSON field '{name}.{field}' is missing but a required field")
        if name in ("usersInfo", "listDatabases", "find") and command.get("$readPreference", {}).get("mode", "primary") != "primary":
            raise Violation(f"{name}: read from somebody who may be behind")
        if name in WRITES and command.get("writeConcern", {}).get("w") != "majority":
            raise Violation(f"{name}: without writeConcern majority what was done may be rolled back")
        if not 0 < command.get("maxTimeMS", 0) <= 60000 and name not in ("ping", "endSessions", "getMore"):
            raise Violation(f"{name}: without a bound of time")

    def roles(self, given, database):
        out = []
        for role in given:
            if not isinstance(role, dict) or set(role) != {"role", "db"}:
                raise Violation(f"a role is {{role, db}}: {role}")
            name, at = role["role"], role["db"]
            known = name in OF_DATABASE or (at == "admin" and (name in OF_ALL or name in OF_SERVER or name == "root"))
            if not known:
                raise Refusal(31, f"Could not find role: {name}@{at}")
            if role not in out:
                out.append(role)
        return out

    def user(self, database, name):
        found = self.users.get((database, name))
        if found is None:
            raise Refusal(11, f"Could not find user \"{name}\" for db \"{database}\"")
        return found

    def changed(self, database, name):
        self.encoded.pop((database, name), None)

    # --- commands

    def run(self, who, command):
        name = next(iter(command))
        self.check(name, command)
        return getattr(self, "do_" + name)(who, command, command["$db"])

    def do_ping(self, who, command, database):
        return {}

    do_endSessions = do_ping

    def do_buildInfo(self, who, command, database):
        return {"version": "6.0.0"}

    def do_createUser(self, who, command, database):
        name = command["createUser"]
        self.need(who, "createUser", database, "createUser")
        roles = self.roles(command["roles"], database)
        for role in roles:
            self.need(who, "grantRole", role["db"], "createUser")
        if not isinstance(name, str) or not name or not isinstance(command["pwd"], str) or not command["pwd"]:
            raise Refusal(2, "User passwords must not be empty")
        mechanisms = command.get("mechanisms", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
        credentials = credentials_for(mechanisms, name, command["pwd"])
        if (database, name) in self.users:
            raise Refusal(51003, f"User \"{name}@{database}\" already exists")
        identity = Binary(os.urandom(16))
        identity.subtype = 4
        user = {"_id": f"{database}.{name}", "userId": identity, "user": name, "db": database,
                "credentials": credentials, "roles": roles}
        if "customData" in command:
            user["customData"] = command["customData"]
        self.users[(database, name)] = user
        return {}

    def do_updateUser(self, who, command, database):
        name = command["updateUser"]
        if not {"pwd", "roles", "customData", "mechanisms"} & set(command):
            raise Refusal(2, "Must specify at least one field to update in updateUser")
        for field, action in (("pwd", "changePassword"), ("customData", "changeCustomData")):
            if field in command:
                self.need(who, action, database, "updateUser")
        if "mechanisms" in command and "pwd" not in command and not set(command["mechanisms"]) <= set(
                self.users.get((database, name), {}).get("credentials", {})):
            raise Refusal(2, "mechanisms field must be a subset of previously set mechanisms")
        roles = self.roles(command["roles"], database) if "roles" in command else None
        if roles is not None:
            self.need(who, "revokeRole", "any", "updateUser")
            for role in roles:
                self.need(who, "grantRole", role["db"], "updateUser")
        user = self.user(database, name)
        if "pwd" in command:
            mechanisms = command.get("mechanisms", list(user["credentials"]))
            user["credentials"] = credentials_for(mechanisms, name, command["pwd"])
        if roles is not None:
            user["roles"] = roles
        if "customData" in command:
            user["customData"] = command["customData"]
        self.changed(database, name)
        return {}

    def do_dropUser(self, who, command, database):
        self.need(who, "dropUser", database, "dropUser")
        self.user(database, command["dropUser"])
        del self.users[(database, command["dropUser"])]
        self.changed(database, command["dropUser"])
        return {}

    def do_dropAllUsersFromDatabase(self, who, command, database):
        self.need(who, "dropUser", database, "dropAllUsersFromDatabase")
        if who is not None and database == "admin":
            raise Violation("dropAllUsersFromDatabase of admin")
        gone = [key for key in self.users if key[0] == database]
        for key in gone:
            del self.users[key]
            self.changed(*key)
        return {"n": len(gone)}

    def do_dropAllRolesFromDatabase(self, who, command, database):
        self.need(who, "dropRole", database, "dropAllRolesFromDatabase")
        return {"n": 0}

    def do_grantRolesToUser(self, who, command, database):
        roles = self.roles(command["roles"], database)
        for role in roles:
            self.need(who, "grantRole", role["db"], "grantRolesToUser")
        user = self.user(database, command["grantRolesToUser"])
        user["roles"] = user["roles"] + [role for role in roles if role not in user["roles"]]
        self.changed(database, user["user"])
        return {}

    def do_revokeRolesFromUser(self, who, command, database):
        roles = self.roles(command["roles"], database)
        for role in roles:
            self.need(who, "revokeRole", role["db"], "revokeRolesFromUser")
        user = self.user(database, command["revokeRolesFromUser"])
        user["roles"] = [role for role in user["roles"] if role not in roles]
        self.changed(database, user["user"])
        return {}

    def shown(self, key, credentials):
        forms = self.encoded.setdefault(key, {})
        if credentials not in forms:
            user = dict(self.users[key])
            user["mechanisms"] = list(user["credentials"])
            if not credentials:
                del user["credentials"]
            forms[credentials] = Raw(encode(user))
        return forms[credentials]

    def do_usersInfo(self, who, command, database):
        asked = command["usersInfo"]
        whole = isinstance(asked, dict) and "forAllDBs" in asked
        if whole and database != "admin":
            raise Refusal(2, "usersInfo with forAllDBs goes to the database admin")
        exact = [] if whole else (asked if isinstance(asked, list) else [asked])
        keys = []
        for one in exact:
            if not isinstance(one, dict) or set(one) != {"user", "db"}:
                raise Violation(f"usersInfo of {one}")
            self.need(who, "viewUser", one["db"], "usersInfo")
            if (one["db"], one["user"]) in self.users and (one["db"], one["user"]) not in keys:
                keys.append((one["db"], one["user"]))
        if whole:
            self.need(who, "viewUser", "any", "usersInfo")
            keys = list(self.users)
        elif "filter" in command:
            raise Refusal(20, "a filter goes with all users")
        if command.get("showPrivileges") or command.get("showAuthenticationRestrictions"):
            raise Violation("usersInfo: details of many")
        credentials = bool(command.get("showCredentials")) and self.settings["shows_credentials"]
        users = [self.shown(key, credentials) for key in keys
                 if "filter" not in command or matches(self.users[key], command["filter"])]
        if sum(map(len, users)) > self.settings["reply_max"]:
            raise Refusal(10334, "BSONObj size is invalid. Size must be between 0 and 16793600(16MB)")
        return {"users": users}

    def do_listDatabases(self, who, command, database):
        if database != "admin":
            raise Refusal(13, "listDatabases may only be run against the admin database.")
        if not command.get("nameOnly") or command.get("authorizedDatabases") is not False:
            raise Violation("listDatabases: sizes cost much, and what we may not see is not absent")
        self.need(who, "listDatabases", "", "listDatabases")
        names = sorted(OWN | {name for name, there in self.data.items() if any(there.values())})
        found = [{"name": name} for name in names if matches({"name": name}, command.get("filter", {}))]
        return {"databases": found}

    def do_dropDatabase(self, who, command, database):
        self.need(who, "dropDatabase", database, "dropDatabase")
        if database in OWN:
            raise Refusal(20, f"Cannot drop '{database}' database")
        return {"dropped": database} if self.data.pop(database, None) is not None else {}

    def collection(self, database, name):
        if not re.fullmatch(r"[^/\\. \"$\0]{1,63}", database) or not name or "$" in name:
            raise Refusal(73, f"Invalid namespace specified '{database}.{name}'")
        for other, there in self.data.items():
            if other != database and other.lower() == database.lower() and any(there.values()):
                raise Refusal(13297, f"db already exists with different case already have: [{other}]")
        return self.data.setdefault(database, {}).setdefault(name, [])

    def do_find(self, who, command, database):
        self.need(who, "find", database, "find")
        found = [d for d in self.collection(database, command["find"]) if matches(d, command.get("filter", {}))]
        return self.batch(found, f"{database}.{command['find']}", command.get("batchSize", 101), "firstBatch")

    def batch(self, found, space, size, word):
        size = min(size, self.settings["batch_max"])
        now, rest, number = found[:size], found[size:], 0
        if rest:
            number = len(self.cursors) + 7
            self.cursors[number] = (rest, space)
        return {"cursor": {word: now, "id": Int64(number), "ns": space}}

    def do_getMore(self, who, command, database):
        if "maxTimeMS" in command:
            raise Refusal(2, "cannot set maxTimeMS on getMore command for a non-awaitData cursor")
        space = f"{database}.{command['collection']}"
        if not isinstance(command["getMore"], Int64):
            raise Violation("BSON field 'getMore.getMore' is the wrong type 'int', expected type 'long'")
        rest, of = self.cursors.pop(command["getMore"], (None, None))
        if of != space:
            raise Refusal(43, f"cursor id {command['getMore']} not found")
        return self.batch(rest, space, command.get("batchSize", 101), "nextBatch")

    def do_insert(self, who, command, database):
        self.need(who, "insert", database, "insert")
        there = self.collection(database, command["insert"])
        known, errors, count = {d["_id"] for d in there}, [], 0
        for index, document in enumerate(command["documents"]):
            if "_id" not in document:
                document = {"_id": Binary(os.urandom(12)), **document}
            if document["_id"] in known:
                errors.append({"index": index, "code": 11000, "errmsg": "E11000 duplicate key error"})
                if command.get("ordered", True):
                    break
                continue
            known.add(document["_id"])
            there.append(document)
            count += 1
        return {"n": count, **({"writeErrors": errors} if errors else {})}

    def do_update(self, who, command, database):
        self.need(who, "update", database, "update")
        there, changed, born = self.collection(database, command["update"]), 0, []
        for index, step in enumerate(command["updates"]):
            if not set(step) <= {"q", "u", "multi", "upsert"} or not set(step["u"]) <= {"$set", "$unset"}:
                raise Violation(f"update: {step}")
            hit = [d for d in there if matches(d, step["q"])]
            for document in hit if step.get("multi") else hit[:1]:
                document.update(step["u"].get("$set", {}))
                for field in step["u"].get("$unset", {}):
                    document.pop(field, None)
                changed += 1
            if not hit and step.get("upsert"):
                made = {k: v for k, v in step["q"].items() if not isinstance(v, dict)} | step["u"].get("$set", {})
                if any(d["_id"] == made["_id"] for d in there):
                    return {"n": changed, "writeErrors": [{"index": index, "code": 11000, "errmsg": "E11000 duplicate key error"}]}
                there.append(made)
                born.append({"index": index, "_id": made["_id"]})
        return {"n": changed + len(born), "nModified": changed, **({"upserted": born} if born else {})}

    def do_delete(self, who, command, database):
        self.need(who, "remove", database, "delete")
        there, gone = self.collection(database, command["delete"]), 0
        for step in command["deletes"]:
            if set(step) != {"q", "limit"} or step["limit"] not in (0, 1):
                raise Violation(f"delete: {step}")
            for document in [d for d in there if matches(d, step["q"])][:step["limit"] or None]:
                there.remove(document)
                gone += 1
        return {"n": gone}
