#include "cli/kubeconfig.hpp"

#include "api/yaml.hpp"
#include "cli/files.hpp"
#include "runtime/base64.hpp"

#include <cstdlib>
#include <filesystem>

namespace ocim::cli {

namespace {

namespace fs = std::filesystem;

class Reader {
public:
    using ReadFile = std::function<Result<std::string>(const std::string& path)>;
    Reader(std::string path, api::Json document, const ReadFile& read_file)
        : path_(std::move(path)), document_(std::move(document)), read_file_(read_file) {}

    Result<Kubeconfig> read() {
        const auto current = text(&document_, "current-context");
        if (current.empty()) return wrong("has no current-context");
        const auto* context = named("contexts", "context", current);
        if (!context) return wrong("has no context \"" + current + "\"");
        const auto* cluster = named("clusters", "cluster", text(context, "cluster"));
        if (!cluster) return wrong("has no cluster \"" + text(context, "cluster") + "\"");
        const auto* user = named("users", "user", text(context, "user"));
        if (!user) return wrong("has no user \"" + text(context, "user") + "\"");
        Kubeconfig out;
        out.server = text(cluster, "server");
        while (out.server.ends_with('/')) out.server.pop_back();
        if (const auto space = text(context, "namespace"); !space.empty()) out.namespace_ = space;
        auto ca = content(cluster, "certificate-authority");
        if (!ca) return std::move(ca).error();
        auto certificate = content(user, "client-certificate");
        if (!certificate) return std::move(certificate).error();
        auto key = content(user, "client-key");
        if (!key) return std::move(key).error();
        out.ca_certificate = *std::move(ca);
        out.certificate = *std::move(certificate);
        out.private_key = Secret(*std::move(key));
        out.token = Secret(text(user, "token"));
        if (out.server.empty() || out.ca_certificate.empty())
            return wrong("says no server with its certificate-authority-data");
        if (out.certificate.empty() && out.token.reveal().empty())
            return wrong("has neither client-certificate-data nor a token for its user");
        return out;
    }

private:
    Error wrong(const std::string& what) const { return {ErrorClass::invalid, path_ + " " + what}; }

    static std::string text(const api::Json* object, std::string_view field) {
        return std::string(api::find_text(*object, {field}));
    }
    const api::Json* named(std::string_view list, std::string_view member, const std::string& name) const {
        const auto* items = api::find(document_, {list});
        if (!items || !items->is_array()) return nullptr;
        for (const auto& item : items->get_array())
            if (api::find_text(item, {"name"}) == name) return api::find(item, {member});
        return nullptr;
    }
    /// "<field>-data" in base64, else the file that "<field>" names, else "".
    Result<std::string> content(const api::Json* object, const std::string& field) const {
        if (const auto data = text(object, field + "-data"); !data.empty()) {
            auto decoded = runtime::from_base64(data);
            if (!decoded) return wrong("has " + field + "-data that is not base64");
            return *std::move(decoded);
        }
        const auto file = text(object, field);
        if (file.empty()) return std::string();
        return read_file_((fs::path(path_).parent_path() / file).string());
    }

    std::string path_;
    api::Json document_;
    const ReadFile& read_file_;
};

}  // namespace

std::string kubeconfig_path(const std::string& path) {
    if (!path.empty()) return path;
    if (const char* given = std::getenv("KUBECONFIG"); given && *given) {
        const std::string all(given);
        return all.substr(0, all.find(':'));
    }
    const char* home = std::getenv("HOME");
    return std::string(home ? home : "") + "/.kube/config";
}

Result<Kubeconfig> parse_kubeconfig(const std::string& path, std::string_view text,
                                    const std::function<Result<std::string>(const std::string& path)>& read) {
    auto parsed = api::parse_yaml(text);
    if (!parsed) return std::move(parsed).error().within(path);
    return Reader(path, std::move(parsed->value), read).read();
}

Result<Kubeconfig> read_kubeconfig(const std::string& path) {
    auto text = read_file(path);
    if (!text) return std::move(text).error();
    if (text->empty())
        return Error{ErrorClass::invalid, path + " is not there or empty; give --kubeconfig FILE or set KUBECONFIG"};
    return parse_kubeconfig(path, *text, read_file);
}

}  // namespace ocim::cli
