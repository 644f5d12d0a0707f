#include "campus.hpp"

#include "runtime/base64.hpp"

#include <algorithm>
#include <stdexcept>

namespace ocim::openedx::test {
namespace {

Json parsed(std::string text) {
    std::ranges::replace(text, '\'', '"');
    auto out = api::parse_json(text);
    if (!out) throw std::runtime_error(out.error().message + " in " + text);
    return std::move(out->value);
}

std::string text_at(const Json& object, std::initializer_list<std::string_view> path) {
    return std::string(api::find_text(object, path));
}

bool is(const Json& object, const std::string& kind, const std::string& name) {
    return text_at(object, {"kind"}) == kind && text_at(object, {"metadata", "name"}) == name;
}

std::string drawn(const std::string& key) {
    if (key == "id") return "abcdefgh";
    if (key == "masterKey") return runtime::base64("123456789012345678901234567890123456");
    if (key == "mysqlUser") return "qwerty";
    if (key == "rabbitmqVhost") return "abcdefghijklmn";
    if (key == "rabbitmqProvider") return "provideruser";
    if (key == "rabbitmqConsumer") return "consumeruser";
    return "drawn-" + key;
}

}  // namespace

Json backend(const std::string& kind, const std::string& name, const std::string& spec) {
    auto out = parsed("{'apiVersion':'ocim.opencraft.com/v1alpha1','kind':'" + kind + "','metadata':{'name':'" + name +
                      "','generation':1},'spec':" + spec + "}");
    set_condition(out, "Ready", "True", "Reachable");
    return out;
}

Json secret(const std::string& namespace_, const std::string& name, const std::map<std::string, std::string>& data) {
    auto out = parsed("{'apiVersion':'v1','kind':'Secret','metadata':{'name':'" + name + "','namespace':'" +
                      namespace_ + "'},'data':{}}");
    for (const auto& [key, value] : data) out.at("data").as_object()[key] = runtime::base64(value);
    return out;
}

void set_condition(Json& object, const std::string& type, const std::string& status, const std::string& reason,
                   const std::string& message, const std::string& since) {
    auto& fields = api::make_object(object, {"status"});
    if (!fields.contains("conditions")) fields["conditions"] = api::json::array();
    auto& conditions = fields["conditions"].as_array();
    api::json::object made{
        {"type", type}, {"status", status}, {"reason", reason}, {"message", message}, {"lastTransitionTime", since}};
    for (auto& item : conditions)
        if (api::find_text(item, {"type"}) == type) {
            item = made;
            return;
        }
    conditions.push_back(std::move(made));
}

std::vector<std::string> told(const Campus::Composition& composition) {
    std::vector<std::string> out;
    for (const auto& note : composition.notes) out.push_back((note.warning ? "Warning " : "Normal ") + note.reason);
    return out;
}

const runtime::Finding* finding(const Campus::Composition& composition, const std::string& type) {
    for (const auto& item : composition.findings)
        if (item.type == type) return &item;
    return nullptr;
}

Campus::Campus() : now(*parse_rfc3339("2026-11-22T12:00:00Z")) {
    instance.metadata.name = "demo";
    instance.metadata.namespace_ = "campus";
    instance.metadata.uid = "uid-demo";
    instance.metadata.generation = 1;
    instance.spec.class_name = "sandbox";
    instance.spec.subdomain = "demo";
    of_class.metadata.name = "sandbox";
    of_class.spec.base_domain = "example.test";
    of_class.spec.compute.key_name = "key";
    of_class.spec.compute.ssh_key_ref.name = "ssh";
    others = {backend("Cloud", "cloud1", "{'local':{}}"),
              backend("LoadBalancer", "lb1", "{'domain':'lb1.example.test','haproxy':{'local':{}}}"),
              backend("DNSZone", "zone1", "{'domain':'example.test'}"),
              backend("DatabaseServer", "db1", "{'mysql':{'host':'db1.example.test'},'credentialsRef':{'name':'db1'}}"),
              backend("RabbitMQServer", "mq1",
                      "{'managementURL':'https://mq1.example.test:15671','instanceURL':'amqps://mq1.example.test:5671',"
                      "'credentialsRef':{'name':'mq1'}}"),
              backend("MonitoringService", "prober1", "{'prober':{}}")};
}

runtime::Inputs Campus::inputs() const {
    runtime::Inputs out;
    out.installation = "test";
    out.now = now;
    out.add(api::encode_object(of_class));
    for (const auto& item : others) out.add(item);
    for (const auto& item : children)
        if (text_at(item, {"kind"}) == "AppServer") out.add(item);
    return out;
}

Campus::Composition Campus::compose() const {
    runtime::Children ours;
    for (const auto& item : children) ours.add(item);
    return Instances::compose(instance, ours, inputs());
}

Json* Campus::find(std::vector<Json>& in, const std::string& kind, const std::string& name) {
    const auto found = std::ranges::find_if(in, [&](const Json& item) { return is(item, kind, name); });
    return found == in.end() ? nullptr : &*found;
}

Json* Campus::child(const std::string& kind, const std::string& name) { return find(children, kind, name); }
Json* Campus::other(const std::string& kind, const std::string& name) { return find(others, kind, name); }

std::vector<std::string> Campus::names(const std::string& kind) const {
    std::vector<std::string> out;
    for (const auto& item : children)
        if (text_at(item, {"kind"}) == kind) out.push_back(text_at(item, {"metadata", "name"}));
    std::ranges::sort(out);
    return out;
}

void Campus::set_ready(Json& object) const {
    const bool ready = std::ranges::find(unready, text_at(object, {"kind"})) == unready.end();
    set_condition(object, "Ready", ready ? "True" : "False", ready ? "Ready" : "Progressing");
    api::make_object(object, {"status"})["observedGeneration"] = 1;
}

void Campus::store(const runtime::Child& made) {
    const auto kind = text_at(made.object, {"kind"}), name = text_at(made.object, {"metadata", "name"});
    auto* stored = child(kind, name);
    if (!stored) {
        if (auto* found = other(kind, name); found && kind == "AppServer" && made.create_only && made.adopt) {
            children.push_back(*found);
            std::erase_if(others, [&](const Json& item) { return is(item, kind, name); });
            stored = &children.back();
        } else if (made.waiting_for || instance.metadata.deleting()) {
            return;
        } else {
            children.push_back(made.object);
            stored = &children.back();
            auto& metadata = api::make_object(*stored, {"metadata"});
            metadata["generation"] = 1;
            metadata["creationTimestamp"] = rfc3339(now);
            for (const auto& [key, form] : made.generated)
                api::make_object(*stored, {"data"})[key] = runtime::base64(drawn(key));
            if (kind != "AppServer" && kind != "Secret") set_ready(*stored);
        }
    } else if (!made.create_only) {
        for (const auto& [field, value] : made.object.get_object())
            if (field != "metadata") stored->as_object()[field] = value;
        if (kind != "AppServer" && kind != "Secret") set_ready(*stored);
    }
    auto& metadata = api::make_object(*stored, {"metadata"});
    metadata["ownerReferences"] =
        made.retain ? api::json::array() : api::json::array{api::json::object{{"uid", instance.metadata.uid}}};
}

Campus::Composition Campus::visit() {
    auto out = compose();
    const auto conditions = std::move(instance.status.conditions);
    instance.status = out.status;
    instance.status.conditions.clear();
    const bool ready = out.verdict.state == runtime::Verdict::State::ready;
    instance.status.conditions.push_back({"Ready", ready ? "True" : "False", out.verdict.reason, "", "", {}});
    for (const auto& item : out.findings)
        instance.status.conditions.push_back({item.type, item.status, item.reason, item.message, "", {}});
    for (const auto& item : out.children) store(item);
    if (!out.complete) return out;
    std::erase_if(children, [&](const Json& item) {
        if (item.at("metadata").at("ownerReferences").as_array().empty()) return false;  // retained
        return std::ranges::none_of(out.children, [&](const runtime::Child& made) {
            return is(made.object, text_at(item, {"kind"}), text_at(item, {"metadata", "name"}));
        });
    });
    return out;
}

Campus::Composition Campus::settle() {
    for (int visits = 0; visits < 20; ++visits) {
        const auto status = instance.status;
        const auto stored = children;
        auto out = visit();
        if (instance.status == status && stored == children) return out;
    }
    throw std::runtime_error("it never settles");
}

void Campus::appserver(const std::string& name, const std::string& phase, const std::string& message) {
    auto* object = child("AppServer", name);
    if (!object) object = other("AppServer", name);
    if (!object) throw std::runtime_error("there is no AppServer " + name);
    auto& status = api::make_object(*object, {"status"});
    status["phase"] = phase;
    status["addresses"] = api::json::array{"192.0.2." + name.substr(name.rfind('-') + 1)};
    const bool runs = phase == "Running", failed = phase == "ConfigurationFailed" || phase == "Error";
    set_condition(*object, "Ready", runs ? "True" : "False", phase, message, rfc3339(now));
    set_condition(*object, "Stalled", failed ? "True" : "False", phase, message, rfc3339(now));
}

void Campus::balance() {
    auto* fragment = child("LoadBalancerFragment", "demo-http");
    if (!fragment) return;
    api::json::array active, known;
    if (const auto* servers = api::find(*fragment, {"spec", "servers"}))
        for (const auto& server : servers->as_array()) {
            const auto* waits = api::find(server, {"standby"});
            const bool standby = waits && waits->is_bool() && waits->get_bool();
            if (!standby) active.push_back(server.at("name"));
            known.push_back(api::json::object{{"name", server.at("name")}, {"standby", standby}, {"check", "Passed"}});
        }
    const auto among = [](const api::json::array& names, const std::string& name) {
        return std::ranges::any_of(names, [&](const Json& item) {
            return item.is_string() ? item.get_string() == name : text_at(item, {"name"}) == name;
        });
    };
    for (auto* all : {&children, &others})
        for (auto& item : *all) {
            if (text_at(item, {"kind"}) != "AppServer") continue;
            const bool listed = among(active, text_at(item, {"metadata", "name"}));
            set_condition(item, "Active", listed ? "True" : "False", "");
            set_condition(item, "Healthy", among(known, text_at(item, {"metadata", "name"})) ? "True" : "Unknown", "");
            if (listed && !api::find(item, {"status", "activatedAt"}))
                api::make_object(item, {"status"})["activatedAt"] = rfc3339(now);
        }
    auto& status = api::make_object(*fragment, {"status"});
    status["activeServers"] = std::move(active);
    status["servers"] = std::move(known);
}

Json& Campus::persons_appserver(const std::string& name, bool active) {
    crd::AppServer made;
    made.metadata.name = name;
    made.metadata.namespace_ = "campus";
    made.metadata.creation_timestamp = rfc3339(now);
    made.spec.instance_name = "demo";
    made.spec.active = active;
    others.push_back(api::encode_object(made));
    return others.back();
}

Campus Campus::serving() {
    Campus out;
    out.settle();
    out.appserver("demo-1", "Running");
    out.settle();
    out.balance();
    out.settle();
    return out;
}

void Campus::remove() { instance.metadata.deletion_timestamp = rfc3339(now); }

void Campus::live_again(crd::Instance::Spec::DeletionPolicy policy) {
    instance.metadata.uid += "-again";
    instance.metadata.creation_timestamp = rfc3339(now);
    instance.metadata.deletion_timestamp.clear();
    instance.status = {};
    instance.spec.deletion_policy = policy;
}

}  // namespace ocim::openedx::test
