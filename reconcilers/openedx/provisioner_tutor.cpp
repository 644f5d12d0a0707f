#include "api/yaml.hpp"
#include "openedx/provisioner.hpp"
#include "openedx/run_stop_tutor.hpp"
#include "openedx/run_tutor.hpp"
#include "openedx/variables.hpp"

#include <algorithm>

namespace ocim::openedx {
namespace {

constexpr auto settings_field = "spec.variablesRef";

/// A mapping from a Secret; empty when it is none.
api::json::object mapping(const Secret& document) {
    auto parsed = api::parse_yaml(document.reveal());
    return parsed && parsed->value.is_object() ? std::move(parsed->value.get_object()) : api::json::object();
}

class Tutor final : public Provisioner {
public:
    Result<Prepared> prepare(const Object& object, const runtime::Inputs& inputs) const override {
        const auto& tutor = *object.spec.tutor;
        auto settings = document_of(object, inputs, settings_field, object.spec.variables_ref);
        if (!settings) return std::move(settings).error();
        Prepared out;
        out.files.emplace("config.yml", together(object, inputs, *settings));
        if (tutor.plugin_ref) {
            auto plugin = document_of(object, inputs, "spec.tutor.pluginRef", *tutor.plugin_ref);
            if (!plugin) return std::move(plugin).error();
            out.files.emplace("plugin.yml", *std::move(plugin));
        }
        if (tutor.users_ref) {
            auto users = document_of(object, inputs, "spec.tutor.usersRef", *tutor.users_ref);
            if (!users) return std::move(users).error();
            out.files.emplace("users.json", *std::move(users));
        }
        if (!tutor.requirements.empty()) {
            std::string lines;
            for (const auto& requirement : tutor.requirements) lines += requirement + "\n";
            out.files.emplace("requirements.txt", Secret(std::move(lines)));
        }
        for (const auto& plugin : tutor.plugins) out.arguments.push_back("plugin=" + plugin);
        for (const auto& image : tutor.build_images) out.arguments.push_back("image=" + image);
        return out;
    }
    std::string_view run() const override { return tutor_program; }
    std::string verify() const override { return "/heartbeat"; }
    std::string_view stop() const override { return stop_tutor_program; }
    std::string describe(const Object& object) const override {
        const auto& requirements = object.spec.tutor->requirements;
        return "tutor local" + (requirements.empty() ? "" : " with " + requirements.front());
    }
    std::optional<Keeping> keeping(const Object& object, const runtime::Inputs& inputs) const override {
        const auto& reference = object.spec.tutor->kept_ref;
        Keeping out{reference.name, reference.key, {}};
        if (const auto settings = document_of(object, inputs, settings_field, object.spec.variables_ref))
            for (const auto& [name, value] : mapping(*settings)) out.but.emplace(name);
        return out;
    }
    std::optional<std::map<std::string, Secret>> kept(const Object& object, const runtime::Inputs& inputs,
                                                      const std::vector<std::string>& drawn) const override {
        const auto settings = document_of(object, inputs, settings_field, object.spec.variables_ref);
        if (!settings) return std::nullopt;
        const auto all = merged(object, inputs, *settings);
        if (!std::ranges::all_of(drawn, [&](const auto& name) { return all.contains(name); })) return std::nullopt;
        return std::map<std::string, Secret>{{"kept.yml", Secret(api::to_text(all) + "\n")}};
    }
    std::vector<Secret> secrets(const Object& object, const runtime::Inputs& inputs) const override {
        const auto& reference = object.spec.tutor->kept_ref;
        const auto document = inputs.secret(object.metadata.namespace_, reference.name, reference.key);
        const auto& users = object.spec.tutor->users_ref;
        auto out = users ? secrets_in(object, inputs, *users) : std::vector<Secret>();
        if (!document) return out;
        auto drawn = mapping(*document);
        std::vector<std::string> wholly;
        for (const auto& [name, value] : drawn) wholly.emplace_back(name);
        std::ranges::move(Variables{std::move(drawn), {}}.secrets(wholly), std::back_inserter(out));
        return out;
    }

private:
    /// What was drawn for the site, and what is settled now over it.
    static api::json::object merged(const Object& object, const runtime::Inputs& inputs, const Secret& settings) {
        const auto& reference = object.spec.tutor->kept_ref;
        const auto kept = inputs.secret(object.metadata.namespace_, reference.name, reference.key);
        auto out = kept ? mapping(*kept) : api::json::object();
        for (auto& [name, value] : mapping(settings)) out[name] = std::move(value);
        return out;
    }
    /// JSON is YAML.
    static Secret together(const Object& object, const runtime::Inputs& inputs, const Secret& settings) {
        return Secret(api::to_text(merged(object, inputs, settings)) + "\n");
    }
};

}  // namespace

const Provisioner& tutor_provisioner() {
    static const Tutor tutor;
    return tutor;
}

}  // namespace ocim::openedx
