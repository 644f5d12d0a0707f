#include "cli/cli.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/targets.hpp"
#include "net/http_client.hpp"

#include <algorithm>
#include <iostream>

namespace ocim::cli {

namespace {

using api::Json;

constexpr auto as_table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
constexpr Duration day = std::chrono::hours(24);

constexpr Flag flags[] = {
    namespace_flag,
    all_namespaces_flag,
    output_flag,
    selector_flag,
    {"field-selector", "FIELDS", "Only what has these: metadata.name=a, metadata.namespace!=b."},
    filename_flag,
    recursive_flag,
    {.name = "watch", .value = "", .help = "Go on with changes until it is broken off.", .letter = 'w'},
    {"no-headers", "", "Leave the table's first line out."},
    {"ignore-not-found", "", "What is not there is no error."},
    kubeconfig_flag,
    context_flag,
    help_flag,
};

constexpr Example examples[] = {
    {"All of ours in the namespace", "ocim get ocim"},
    {"Every instance, in every namespace", "ocim get instances -A"},
    {"One object, as it is", "ocim get dnsrecord/www -o yaml"},
    {"Machines with more columns, as they change", "ocim get ovm -o wide -w"},
};

/// One question to the server: a collection, or one object.
struct Question {
    const ServedKind* kind;
    std::string namespace_, name;
};

class Get {
public:
    Get(Connection& server, const Arguments& arguments, Output output)
        : server_(server), arguments_(arguments), output_(output), kinds_(server) {}

    int run() {
        auto asked = questions();
        if (!asked) {
            complain(asked.error());
            return exit_failed;
        }
        if (arguments_.has("watch")) return watch(*asked);
        const bool table = output_ == Output::table || output_ == Output::wide;
        if (table)
            print_tables(*asked);
        else
            print_objects(*asked);
        return failed_ ? exit_failed : exit_ok;
    }

private:
    Answer<std::vector<Question>> questions() {
        const auto namespace_ = namespace_of(arguments_, server_);
        std::vector<Question> out;
        if (arguments_.has("filename")) {
            auto named = select(server_, kinds_, arguments_);
            if (!named) return std::move(named).error();
            for (auto& one : *named) out.push_back({one.kind, one.namespace_, one.name});
            return out;
        }
        auto targets = parse_targets(kinds_, arguments_.operands());
        if (!targets) return std::move(targets).error();
        for (const auto& [kind, names] : *targets) {
            if (names.empty()) out.push_back({kind, namespace_, ""});
            if (!names.empty() && namespace_.empty() && kind->namespaced)
                return refusal("a resource cannot be retrieved by name across all namespaces");
            for (const auto& name : names) out.push_back({kind, namespace_, name});
        }
        return out;
    }

    std::string target(const Question& asked, std::string more = "") const {
        std::string query;
        const auto add = [&](const char* key, const std::string& value) {
            if (!value.empty())
                query += (query.empty() ? "?" : "&") + std::string(key) + "=" + net::percent_encode(value);
        };
        if (asked.name.empty()) {
            add("labelSelector", arguments_.text("selector"));
            add("fieldSelector", arguments_.text("field-selector"));
            add("limit", more.empty() ? "500" : "");
        }
        if (!more.empty()) query += (query.empty() ? "?" : "&") + more;
        return asked.kind->target(asked.namespace_, asked.name) + query;
    }

    /// Each page of the answer; a refusal is complained of and remembered.
    template <class Take>
    void ask(const Question& asked, const char* accept, Take take) {
        std::string token;
        do {
            const auto more = token.empty() ? "" : "limit=500&continue=" + net::percent_encode(token);
            const auto page = server_.ask({.target = target(asked, more), .accept = accept});
            if (!page) {
                if (page.error().code == 404 && arguments_.has("ignore-not-found")) return;
                failures_.push_back(page.error());
                failed_ = true;
                return;
            }
            take(*page);
            token = asked.name.empty() ? std::string(api::find_text(*page, {"metadata", "continue"})) : "";
        } while (!token.empty());
    }

    TablePrinter printer(const ServedKind& kind, bool several) const {
        return TablePrinter({.wide = output_ == Output::wide,
                             .with_namespace = arguments_.has("all-namespaces") && kind.namespaced,
                             .headers = !arguments_.has("no-headers"),
                             .prefix = several ? kind.named("") : ""});
    }

    void print_tables(const std::vector<Question>& asked) {
        struct Shown {
            const ServedKind* kind;
            std::vector<Json> tables;
        };
        std::vector<Shown> shown;
        for (const auto& one : asked)
            ask(one, as_table, [&](const Json& table) {
                const auto* rows = api::find(table, {"rows"});
                if (!rows || !rows->is_array() || rows->get_array().empty()) return;
                if (shown.empty() || shown.back().kind != one.kind) shown.push_back({one.kind, {}});
                shown.back().tables.push_back(table);
            });
        std::string out;
        for (const auto& [kind, tables] : shown) {
            auto print = printer(*kind, shown.size() > 1);
            for (const auto& table : tables) print.add(table);
            if (!out.empty() && !arguments_.has("no-headers")) out += "\n";
            out += print.take();
        }
        std::cout << out << std::flush;
        const bool placed = std::ranges::any_of(asked, [](const Question& one) { return one.kind->namespaced; });
        tell(out.empty() && !failed_, placed);
    }

    void print_objects(const std::vector<Question>& asked) {
        std::vector<Json> objects;
        const bool one = asked.size() == 1 && !asked.front().name.empty();
        for (const auto& question : asked)
            ask(question, "application/json", [&](const Json& answer) {
                const auto* items = api::find(answer, {"items"});
                if (!question.name.empty() || !items || !items->is_array()) {
                    objects.push_back(answer);
                    return;
                }
                for (const auto& item : items->get_array()) objects.push_back(complete(item, *question.kind));
            });
        if (output_ == Output::name) {
            for (const auto& object : objects) std::cout << name_of(object) << "\n";
        } else if (!one || !objects.empty()) {
            std::cout << printed(one ? std::move(objects.front()) : list_of(std::move(objects)), output_);
        }
        std::cout << std::flush;
        tell(false, false);
    }

    static Json complete(Json object, const ServedKind& kind) {
        if (object.is_object()) {
            object.get_object()["apiVersion"] = kind.api_version();
            object.get_object()["kind"] = kind.kind;
        }
        return object;
    }
    std::string name_of(const Json& object) {
        const auto kind = kinds_.of(object);
        const std::string name(api::find_text(object, {"metadata", "name"}));
        return kind ? (*kind)->named(name) : name;
    }

    void tell(bool nothing, bool placed) {
        for (const auto& failure : failures_) complain(failure);
        if (!nothing || arguments_.has("ignore-not-found")) return;
        const auto place = namespace_of(arguments_, server_);
        std::cerr << "No resources found" << (place.empty() || !placed ? "" : " in " + place + " namespace.")
                  << std::endl;
    }

    /// What there is, then what changes.
    int watch(const std::vector<Question>& asked) {
        if (asked.size() != 1) {
            complain("you may only specify a single resource type with --watch");
            return exit_failed;
        }
        const auto& one = asked.front();
        const bool table = output_ == Output::table || output_ == Output::wide;
        Question collection{one.kind, one.namespace_, ""};
        auto print = printer(*one.kind, false);
        std::string version;
        const auto only = one.name.empty() ? "" : "fieldSelector=" + net::percent_encode("metadata.name=" + one.name);
        const auto listed = server_.ask({.target = target(collection, only.empty() ? "limit=0" : only),
                                         .accept = table ? as_table : "application/json"});
        if (!listed) {
            complain(listed.error());
            return exit_failed;
        }
        version = api::find_text(*listed, {"metadata", "resourceVersion"});
        show(*listed, print, *one.kind);
        const auto more =
            "watch=true&resourceVersion=" + net::percent_encode(version) + (only.empty() ? "" : "&" + only);
        const auto ended =
            server_.watch({.target = target(collection, more), .accept = table ? as_table : "application/json"}, day,
                          [&](const Json& event) {
                              if (const auto* object = api::find(event, {"object"})) show(*object, print, *one.kind);
                              return true;
                          });
        if (ended) return exit_ok;
        complain(ended.error());
        return exit_failed;
    }

    void show(const Json& object, TablePrinter& print, const ServedKind& kind) {
        if (output_ == Output::table || output_ == Output::wide) {
            print.add(object);
            std::cout << print.take() << std::flush;
            return;
        }
        std::vector<Json> objects;
        if (const auto* items = api::find(object, {"items"}); items && items->is_array())
            for (const auto& item : items->get_array()) objects.push_back(complete(item, kind));
        else
            objects.push_back(object);
        for (auto& one : objects) {
            if (output_ == Output::name)
                std::cout << name_of(one) << "\n";
            else
                std::cout << (output_ == Output::yaml ? "---\n" : "") << printed(std::move(one), output_);
        }
        std::cout << std::flush;
    }

    Connection& server_;
    const Arguments& arguments_;
    Output output_;
    ServedKinds kinds_;
    std::vector<Refusal> failures_;
    bool failed_ = false;
};

int get(const Arguments& arguments) {
    const auto output = output_of(arguments);
    if (!output) {
        complain(output.error().message);
        return exit_failed;
    }
    const auto server = Connection::open(arguments);
    if (!server) {
        complain(server.error().message);
        return exit_failed;
    }
    return Get(**server, arguments, *output).run();
}

}  // namespace

constinit const Command get_command{
    .name = "get",
    .summary = "Show what there is, as a table, YAML or JSON.",
    .synopsis = "KIND[,KIND...] [NAME...] [FLAGS]\nKIND/NAME... [FLAGS]\n-f FILE|DIR [FLAGS]",
    .description =
        "KIND is a kind in any of its names (dnsrecord, dnsrecords, dns), or a category: \"ocim\" is all of ours.",
    .flags = flags,
    .examples = examples,
    .run = get,
    .operands = Operands::taken,
    .completes = Completes::objects,
};

}  // namespace ocim::cli
