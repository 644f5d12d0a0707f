"""The part of newrelic_server.py that alerts: policies, NRQL conditions, destinations, channels and workflows."""
import re

LISTS = ("policies", "conditions", "destinations", "channels", "workflows")
QUERY = re.compile(r"SELECT .+ FROM SyntheticCheck WHERE monitorName LIKE '%[^'%]+' FACET monitorName")
ADDRESS = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")


def missing(what):
    return {"type": "NOT_FOUND", "description": f"no such {what}", "details": "", "__typename": "AiNotificationsResponseError"}


class AlertsApi:
    def __init__(self):
        self.kept = {name: {} for name in LISTS}
        self.next_id = 0

    def bind_alerts(self, give):
        give("AlertsAccountStitchedFields", policiesSearch=lambda _, info, cursor=None: self.listed("policies", cursor, "policies"),
             nrqlConditionsSearch=self.conditions)
        give("AiNotificationsAccountStitchedFields",
             destinations=lambda _, info, cursor=None: self.listed("destinations", cursor, "entities"),
             channels=lambda _, info, cursor=None: self.listed("channels", cursor, "entities"))
        give("AiWorkflowsAccountStitchedFields", workflows=lambda _, info, cursor=None: self.listed("workflows", cursor, "entities"))
        give("RootMutationType", alertsPolicyCreate=self.create_policy, alertsPolicyDelete=self.delete_policy,
             alertsNrqlConditionStaticCreate=self.create_condition, alertsConditionDelete=self.delete_condition,
             aiNotificationsCreateDestination=self.create_destination, aiNotificationsDeleteDestination=self.delete_destination,
             aiNotificationsCreateChannel=self.create_channel, aiNotificationsDeleteChannel=self.delete_channel,
             aiWorkflowsCreateWorkflow=self.create_workflow, aiWorkflowsDeleteWorkflow=self.delete_workflow)
        static = self.schema.get_type("AlertsNrqlStaticCondition")
        self.schema.get_type("AlertsNrqlCondition").resolve_type = lambda *_: static
        self.schema.get_type("AiNotificationsError").resolve_type = \
            lambda value, info: self.schema.get_type(value["__typename"])

    def alerts_fields(self):
        return {"alerts": {}, "aiNotifications": {}, "aiWorkflows": {}}

    def listed(self, name, cursor, key):
        return self.page(list(self.kept[name].values()), cursor, key)

    def conditions(self, _, info, cursor=None, searchCriteria=None):
        like = (searchCriteria or {}).get("nameLike", "")
        found = [item for item in self.kept["conditions"].values() if like in item["name"]]
        return self.page(found, cursor, "nrqlConditions")

    def add(self, name, item):
        self.next_id += 1
        self.kept[name][str(self.next_id)] = {"id": str(self.next_id), **item}
        return self.kept[name][str(self.next_id)]

    def gone(self, name, id):
        if id not in self.kept[name]:
            raise self.refuse("Not Found", "NOT_FOUND")
        del self.kept[name][id]
        return {"id": id}

    def refuse(self, message, word):
        from __main__ import Refusal
        return Refusal(message, word)

    # --- policies and conditions

    def create_policy(self, _, info, accountId, policy):
        return self.add("policies", dict(policy))

    def delete_policy(self, _, info, accountId, id):
        for number in [number for number, item in self.kept["conditions"].items() if item["policyId"] == id]:
            del self.kept["conditions"][number]
        return self.gone("policies", id)

    def create_condition(self, _, info, accountId, condition, policyId):
        signal, term = condition["signal"], condition["terms"][0]
        window, duration = signal["aggregationWindow"], term["thresholdDuration"]
        good = (policyId in self.kept["policies"] and QUERY.fullmatch(condition["nrql"]["query"])
                and len(condition["nrql"]["query"]) <= 4096 and 30 <= window <= 900 and 60 <= duration <= 86400
                and duration % window == 0 and 30 <= condition["expiration"]["expirationDuration"] <= 172800
                and 300 <= condition["violationTimeLimitSeconds"] <= 2592000)
        if not good:
            raise self.refuse(f"Validation Error: {dict(condition)}", "BAD_REQUEST")
        return self.add("conditions", {"policyId": policyId, **condition})

    def delete_condition(self, _, info, accountId, id):
        return self.gone("conditions", id)

    # --- destinations, channels and workflows

    def create_destination(self, _, info, destination, accountId=None):
        addresses = [item["value"] for item in destination["properties"] if item["key"] == "email"]
        if len(addresses) != 1 or not all(ADDRESS.fullmatch(address) for address in addresses[0].split(",")):
            return {"error": {"__typename": "AiNotificationsDataValidationError", "details": "invalid",
                              "fields": [{"field": "email", "message": "is not an e-mail address"}]}}
        return {"destination": self.add("destinations", {"active": True, **destination})}

    def delete_destination(self, _, info, destinationId, accountId=None):
        if destinationId not in self.kept["destinations"]:
            return {"ids": [], "error": missing("destination")}
        if any(item["destinationId"] == destinationId for item in self.kept["channels"].values()):
            return {"ids": [], "error": {"type": "ENTITY_IN_USE", "description": "a channel uses it", "details": ""}}
        del self.kept["destinations"][destinationId]
        return {"ids": [destinationId]}

    def create_channel(self, _, info, accountId, channel):
        if channel["destinationId"] not in self.kept["destinations"]:
            return {"error": missing("destination")}
        return {"channel": self.add("channels", {"active": True, **channel})}

    def delete_channel(self, _, info, accountId, channelId):
        if channelId not in self.kept["channels"]:
            return {"ids": [], "error": missing("channel")}
        used = [told["channelId"] for item in self.kept["workflows"].values() for told in item["destinationConfigurations"]]
        if channelId in used:
            return {"ids": [], "error": {"type": "ENTITY_IN_USE", "description": "a workflow uses it", "details": ""}}
        del self.kept["channels"][channelId]
        return {"ids": [channelId]}

    def create_workflow(self, _, info, accountId, createWorkflowData):
        given = dict(createWorkflowData)
        if any(item["name"] == given["name"] for item in self.kept["workflows"].values()):
            return {"errors": [{"type": "DUPLICATE", "description": "a workflow of that name exists"}]}
        for told in given["destinationConfigurations"]:
            if told["channelId"] not in self.kept["channels"]:
                return {"errors": [{"type": "INVALID_PARAMETER", "description": "no such channel"}]}
        given["issuesFilter"] = {"id": "filter", **given["issuesFilter"]}
        return {"errors": [], "workflow": self.add("workflows", given)}

    def delete_workflow(self, _, info, accountId, deleteChannels, id):
        if id not in self.kept["workflows"]:
            return {"errors": [{"type": "NOT_FOUND", "description": "no such workflow"}]}
        del self.kept["workflows"][id]
        return {"errors": [], "id": id}

    def harm(self, order):
        """What a person may do by hand: {"list": ..., "drop": true} or {"list": ..., "set": {...}} to all of it."""
        if order.get("drop"):
            self.kept[order["list"]].clear()
        for item in self.kept[order["list"]].values():
            item.update(order.get("set", {}))
