#include "cli/kubeconfig.hpp"

#include "api/yaml.hpp"
#include "cli/files.hpp"
#include "runtime/base64.hpp"

#include <cstdlib>
#include <filesystem>

namespace ocim::cli {

namespace {

namespace fs = std::filesystem;

/// Without the white space at its end that editors leave.
std::string trimmed(std::string text) {
    while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) text.pop_back();
    return text;
}

class Reader {
public:
    using ReadFile = std::function<Result<std::string>(const std::string& path)>;
    Reader(std::string path, api::Json document, const ReadFile& read_file)
        : path_(std::move(path)), document_(std::move(document)), read_file_(read_file) {}

    Result<client::Access> read(const std::string& wanted) {
        const auto current = wanted.empty() ? text(&document_, "current-context") : wanted;
        if (current.empty()) return wrong("has no current-context");
        const auto* context = named("contexts", "context", current);
        if (!context) return wrong("has no context \"" + current + "\"");
        const auto* cluster = named("clusters", "cluster", text(context, "cluster"));
        if (!cluster) return wrong("has no cluster \"" + text(context, "cluster") + "\"");
        const auto* user = named("users", "user", text(context, "user"));
        if (!user) return wrong("has no user \"" + text(context, "user") + "\"");
        client::Access out;
        if (auto refused = unsupported(*cluster, *user); !refused) return std::move(refused).error();
        out.server = text(cluster, "server");
        out.server_name = text(cluster, "tls-server-name");
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
        auto token = token_of(user);
        if (!token) return std::move(token).error();
        out.token = *std::move(token);
        if (!out.server.starts_with("https://") && !out.server.empty())
            return wrong("names the server " + out.server + ", which is not https");
        if (out.server.empty() || out.ca_certificate.empty())
            return wrong("says no server with its certificate-authority-data");
        if (out.certificate.empty() && out.token.reveal().empty())
            return wrong("has neither client-certificate-data nor a token for its user");
        return out;
    }

private:
    /// What would make us somebody else than is meant, or trust everybody, is refused and not passed over.
    Result<void> unsupported(const api::Json& cluster, const api::Json& user) const {
        static constexpr std::pair<const char*, const char*> of_users[] = {
            {"exec", "make a token or a client certificate instead, such as by kubectl create token"},
            {"auth-provider", "use a token or a client certificate"},
            {"username", "use a token or a client certificate"},
            {"as", "use the credentials of whom you want to be"},
        };
        for (const auto& [field, instead] : of_users)
            if (api::find(user, {field}))
                return wrong("has a user with " + std::string(field) + ", which is not supported: " + instead);
        const auto* insecure = api::find(cluster, {"insecure-skip-tls-verify"});
        if (insecure && insecure->is_bool() && insecure->get_bool())
            return wrong("says insecure-skip-tls-verify, which is not supported: give certificate-authority-data");
        if (!text(&cluster, "proxy-url").empty())
            return wrong("has a cluster with proxy-url, which is not supported: reach the server directly");
        return {};
    }
    /// tokenFile goes before token, as at kubectl.
    Result<Secret> token_of(const api::Json* user) const {
        const auto file = text(user, "tokenFile");
        if (file.empty()) return Secret(text(user, "token"));
        auto read = read_file_(beside(file));
        if (!read) return std::move(read).error();
        return Secret(trimmed(*read));
    }
    std::string beside(const std::string& file) const { return (fs::path(path_).parent_path() / file).string(); }
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
        return read_file_(beside(file));
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

Result<client::Access> parse_kubeconfig(const std::string& path, std::string_view text,
                                        const std::function<Result<std::string>(const std::string& path)>& read,
                                        const std::string& context) {
    auto parsed = api::parse_yaml(text);
    if (!parsed) return std::move(parsed).error().within(path);
    return Reader(path, std::move(parsed->value), read).read(context);
}

Result<client::Access> read_kubeconfig(const std::string& path, const std::string& context) {
    auto text = read_file(path);
    if (!text) return std::move(text).error();
    if (text->empty())
        return Error{ErrorClass::invalid, path + " is not there or empty; give --kubeconfig FILE or set KUBECONFIG"};
    return parse_kubeconfig(path, *text, read_file, context);
}

Result<client::Access> read_pod_access(const std::string& folder) {
    const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
    const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
    if (!host || !*host || !port || !*port)
        return Error{ErrorClass::invalid,
                     "this is no pod of Kubernetes (KUBERNETES_SERVICE_HOST is not set); give --kubeconfig FILE"};
    auto token = read_file(folder + "/token"), authority = read_file(folder + "/ca.crt");
    for (const auto* one : {&token, &authority})
        if (!*one) return Error(one->error());
    client::Access out;
    const bool v6 = std::string_view(host).find(':') != std::string_view::npos;
    out.server = "https://" + (v6 ? "[" + std::string(host) + "]" : std::string(host)) + ":" + port;
    out.token = Secret(trimmed(*std::move(token)));
    out.ca_certificate = *std::move(authority);
    if (out.token.empty() || out.ca_certificate.empty())
        return Error{ErrorClass::invalid, folder +
                                              " has no token or no ca.crt; let the pod have its service account's "
                                              "(automountServiceAccountToken)"};
    if (const auto own = read_file(folder + "/namespace"); own && !own->empty()) out.namespace_ = trimmed(*own);
    return out;
}

}  // namespace ocim::cli
