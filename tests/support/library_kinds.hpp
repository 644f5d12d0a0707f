#pragma once

#include "runtime/composite.hpp"
#include "runtime/external.hpp"
#include "support/sim_system.hpp"

#include <string>
#include <vector>

/// Small kinds to try the drivers with: Books stand on Shelves; a Library wants Books.
namespace ocim::test {

using runtime::Mark;
using runtime::Verdict;

struct EmptyStatus {
    std::optional<std::int64_t> observed_generation;
    std::vector<api::Condition> conditions;
    bool operator==(const EmptyStatus&) const = default;
    static constexpr std::array wire_names{std::string_view("observedGeneration"), std::string_view("conditions")};
    BOOST_DESCRIBE_CLASS(EmptyStatus, (), (observed_generation, conditions), (), ())
};

struct Shelf {
    static constexpr api::Kind kind{"test.opencraft.com", "v1", "Shelf", "shelves", false};
    struct Spec {
        std::string secret_name, drift_policy, broken;
        std::vector<std::string> allowed_namespaces;
        std::optional<std::int64_t> drift_interval_seconds, orphan_min_age_seconds;
        std::optional<bool> delete_orphans;
        bool operator==(const Spec&) const = default;
        static constexpr std::array wire_names{std::string_view("secretName"),
                                               std::string_view("driftPolicy"),
                                               std::string_view("broken"),
                                               std::string_view("allowedNamespaces"),
                                               std::string_view("driftIntervalSeconds"),
                                               std::string_view("orphanMinAgeSeconds"),
                                               std::string_view("deleteOrphans")};
        BOOST_DESCRIBE_CLASS(Spec, (),
                             (secret_name, drift_policy, broken, allowed_namespaces, drift_interval_seconds,
                              orphan_min_age_seconds, delete_orphans),
                             (), ())
    };
    api::Metadata metadata;
    Spec spec;
    EmptyStatus status;
};

struct Book {
    static constexpr api::Kind kind{"test.opencraft.com", "v1", "Book", "books"};
    struct Spec {
        std::string shelf, title, text, needs, key_secret, avoids, deletion_policy, management_policy;
        std::optional<std::int64_t> look_again_seconds, turns;
        bool operator==(const Spec&) const = default;
        static constexpr std::array wire_names{std::string_view("shelf"),
                                               std::string_view("title"),
                                               std::string_view("text"),
                                               std::string_view("needs"),
                                               std::string_view("keySecret"),
                                               std::string_view("avoids"),
                                               std::string_view("deletionPolicy"),
                                               std::string_view("managementPolicy"),
                                               std::string_view("lookAgainSeconds"),
                                               std::string_view("turns")};
        BOOST_DESCRIBE_CLASS(Spec, (),
                             (shelf, title, text, needs, key_secret, avoids, deletion_policy, management_policy,
                              look_again_seconds, turns),
                             (), ())
    };
    struct Status {
        std::string shelved;
        std::optional<std::int64_t> observed_generation;
        std::vector<api::Condition> conditions;
        bool operator==(const Status&) const = default;
        static constexpr std::array wire_names{std::string_view("shelved"), std::string_view("observedGeneration"),
                                               std::string_view("conditions")};
        BOOST_DESCRIBE_CLASS(Status, (), (shelved, observed_generation, conditions), (), ())
    };
    api::Metadata metadata;
    Spec spec;
    Status status;
};

/// What stands on a shelf, by title.
struct Volume {
    std::string text;
    std::optional<Mark> mark;
    bool operator==(const Volume&) const = default;
};

struct BookAction {
    std::string title;
    std::optional<Volume> volume;  ///< nothing: take it away
    Mark mark;                     ///< whose it is or may become
    bool fresh = false;
};

using Shelves = std::map<std::string, SimWorld<std::string, Volume>>;

struct BookKind {
    using Object = Book;
    using Backend = Shelf;
    using Key = std::string;
    using Thing = Volume;
    using Action = BookAction;
    using Snapshot = std::map<Key, Thing>;
    static constexpr std::string_view name = "book";

    static std::string backend_name(const Book& book) { return book.spec.shelf; }
    static std::vector<runtime::Reference> needs(const Book& book) {
        std::vector<runtime::Reference> out;
        if (!book.spec.needs.empty()) out.push_back({api::config_map_kind, book.metadata.namespace_, book.spec.needs});
        if (!book.spec.key_secret.empty())
            out.push_back({api::secret_kind, book.metadata.namespace_, book.spec.key_secret});
        return out;
    }
    static std::vector<runtime::GeneratedSecret> generates(const Book& book) {
        if (book.spec.key_secret.empty()) return {};
        const bool retain = book.spec.deletion_policy == "Retain";
        return {{book.spec.key_secret, "key", {runtime::Generate::Form::alphanumeric, 12}, retain}};
    }
    static std::vector<runtime::Claim> claims(const Book& book) {
        return {{"book/" + book.spec.shelf + "/" + book.spec.title, "spec.title"}};
    }
    static Mark mark(const Book& book, const std::string& installation) {
        return {installation, book.metadata.key(), book.metadata.uid};
    }
    static Volume wanted(const Book& book, const runtime::Inputs& inputs) {
        auto text = book.spec.text;
        if (const auto* map = inputs.find(api::config_map_kind, book.metadata.namespace_, book.spec.needs))
            text += api::find_text(*map, {"data", "text"});
        if (const auto key = inputs.secret(book.metadata.namespace_, book.spec.key_secret, "key"))
            text += key->reveal();
        return {text, mark(book, inputs.installation)};
    }
    static std::vector<Action> diff(const Book& book, const runtime::Inputs& inputs, const Snapshot& seen) {
        const auto want = wanted(book, inputs);
        const auto found = seen.find(book.spec.title);
        if (seen.contains(book.spec.avoids)) return {};
        if (found == seen.end()) return {{book.spec.title, want, *want.mark, true}};
        if (ownership(found->second.mark, *want.mark) == runtime::Ownership::foreign) return {};
        if (found->second == want) return {};
        return {{book.spec.title, want, *want.mark, false}};
    }
    static std::vector<Action> remove(const Book& book, const std::string& installation, const Snapshot& seen) {
        const auto found = seen.find(book.spec.title);
        auto self = mark(book, installation);
        if (found == seen.end() || !found->second.mark || found->second.mark->uid != self.uid) return {};
        if (book.spec.deletion_policy != "Retain") return {{book.spec.title, std::nullopt, self, false}};
        if (found->second.mark->retained) return {};
        auto retained = self;
        retained.retained = true;
        return {{book.spec.title, Volume{found->second.text, retained}, self, false}};
    }
    static runtime::Report<Book> report(const Book& book, const runtime::Inputs& inputs, const Snapshot& seen) {
        runtime::Report<Book> out;
        const auto found = seen.find(book.spec.title);
        if (seen.contains(book.spec.avoids)) out.verdict = {Verdict::State::stalled, "Crowded", "It stands not there."};
        if (found == seen.end() || seen.contains(book.spec.avoids)) return out;
        if (ownership(found->second.mark, mark(book, inputs.installation)) == runtime::Ownership::foreign) {
            out.verdict = {Verdict::State::stalled, "NotOwned", "A stranger's volume stands there."};
            return out;
        }
        out.status.shelved = found->second.text;
        out.verdict = {Verdict::State::ready, "Shelved", ""};
        if (book.spec.look_again_seconds) out.look_again = std::chrono::seconds(*book.spec.look_again_seconds);
        return out;
    }
    /// Of books that say so, only so many stand on all shelves together.
    static std::optional<runtime::Turn> turn(const Book& book, const runtime::Inputs&, const Snapshot& seen) {
        if (!book.spec.turns) return std::nullopt;
        const auto limit = static_cast<std::size_t>(*book.spec.turns);
        return runtime::Turn{"the hall", limit, "the hall", seen.contains(book.spec.title)};
    }
    static std::vector<runtime::Marked<Key>> marked(const Snapshot& seen) {
        std::vector<runtime::Marked<Key>> out;
        for (const auto& [title, volume] : seen)
            if (volume.mark) out.push_back({title, *volume.mark});
        return out;
    }
    static std::vector<Action> sweep(const Key& key, const Snapshot& seen) {
        const auto found = seen.find(key);
        if (found == seen.end() || !found->second.mark) return {};
        return {{key, std::nullopt, *found->second.mark, false}};
    }
    /// A shelf says how many of its volumes are to be counted.
    static api::json::object backend_report(const std::string& installation, const Snapshot& seen) {
        std::int64_t count = 0;
        for (const auto& [title, volume] : seen)
            if (volume.mark && volume.mark->installation == installation && volume.text == "counted") ++count;
        if (count == 0) return {};
        return {{"traffic", {{"counted", count}}}};
    }
    static Key key(const Action& action) { return action.title; }
    static std::string describe(const Action& action) {
        return (action.volume ? "shelve " : "take away ") + action.title;
    }
    static std::string_view verb(const Action& action) {
        return !action.volume ? "delete" : action.fresh ? "create" : "update";
    }
    static runtime::BackendSettings settings(const Shelf& shelf) {
        runtime::BackendSettings out;
        out.repair = shelf.spec.drift_policy != "Report";
        out.creates_twice = shelf.metadata.labels.contains("creates-twice");
        if (shelf.metadata.labels.contains("few-at-a-time")) out.actions_max = 50;
        out.allowed_namespaces = shelf.spec.allowed_namespaces;
        if (shelf.spec.drift_interval_seconds)
            out.drift_interval = std::chrono::seconds(*shelf.spec.drift_interval_seconds);
        out.delete_orphans = shelf.spec.delete_orphans.value_or(false);
        if (shelf.spec.orphan_min_age_seconds)
            out.orphan_min_age = std::chrono::seconds(*shelf.spec.orphan_min_age_seconds);
        return out;
    }
    static std::vector<runtime::Reference> backend_needs(const Shelf& shelf) {
        if (shelf.spec.secret_name.empty()) return {};
        return {{api::secret_kind, "ocim-system", shelf.spec.secret_name}};
    }
    static Result<std::unique_ptr<runtime::System<Key, Thing, Action>>> open(const Shelf&, const runtime::Inputs&,
                                                                             const runtime::Services&) {
        return Error{ErrorClass::invalid, "only tests open a shelf"};
    }

    /// "taboo" is a title that shelves refuse. Whose it is, is looked at once more right before the write.
    static Result<void> effect(Snapshot& things, const Action& action) {
        if (action.title == "taboo") return Error{ErrorClass::invalid, "the shelf refuses that title"};
        const auto found = things.find(action.title);
        if (found != things.end() && ownership(found->second.mark, action.mark) == runtime::Ownership::foreign)
            return Error{ErrorClass::conflict, "it has come to belong to another"};
        if (action.volume)
            things.insert_or_assign(action.title, *action.volume);
        else
            things.erase(action.title);
        return {};
    }
    static std::vector<Key> titles(const Action& action) { return {action.title}; }
    static runtime::Opener<BookKind> opener(Shelves& shelves) {
        return [&shelves](
                   const Shelf& shelf, const runtime::Inputs& inputs,
                   const runtime::Services& services) -> Result<std::unique_ptr<runtime::System<Key, Thing, Action>>> {
            if (!shelf.spec.broken.empty()) return Error{ErrorClass::invalid, shelf.spec.broken};
            const auto password = inputs.secret("ocim-system", shelf.spec.secret_name, "password");
            using Sim = SimSystem<Key, Thing, Action>;
            std::unique_ptr<runtime::System<Key, Thing, Action>> out =
                std::make_unique<Sim>(shelves[shelf.metadata.name], Sim::Rules{effect, titles}, services.clock,
                                      services.random, password ? password->reveal() : std::string());
            return out;
        };
    }
};

struct Library {
    static constexpr api::Kind kind{"test.opencraft.com", "v1", "Library", "libraries"};
    struct Spec {
        std::string shelf, needs, waits_for;
        std::vector<std::string> titles;
        std::optional<bool> retain_key, choose, read_key, adopt_key;
        bool operator==(const Spec&) const = default;
        static constexpr std::array wire_names{std::string_view("shelf"),     std::string_view("needs"),
                                               std::string_view("waitsFor"),  std::string_view("titles"),
                                               std::string_view("retainKey"), std::string_view("choose"),
                                               std::string_view("readKey"),   std::string_view("adoptKey")};
        BOOST_DESCRIBE_CLASS(Spec, (), (shelf, needs, waits_for, titles, retain_key, choose, read_key, adopt_key), (),
                             ())
    };
    struct Status {
        std::string chosen;
        std::optional<std::int64_t> observed_generation;
        std::vector<api::Condition> conditions;
        bool operator==(const Status&) const = default;
        static constexpr std::array wire_names{std::string_view("chosen"), std::string_view("observedGeneration"),
                                               std::string_view("conditions")};
        BOOST_DESCRIBE_CLASS(Status, (), (chosen, observed_generation, conditions), (), ())
    };
    api::Metadata metadata;
    Spec spec;
    Status status;
};

/// Wants a Secret with a drawn key and a Book for each title; when it is deleted the books go first, then the key.
struct LibraryKind {
    using Object = Library;
    static constexpr std::string_view name = "library";
    static std::vector<api::Kind> child_kinds() { return {Book::kind, api::secret_kind}; }
    static std::vector<runtime::Reference> needs(const Library& library) {
        if (library.spec.needs.empty()) return {};
        return {{api::config_map_kind, library.metadata.namespace_, library.spec.needs}};
    }
    static std::vector<runtime::Claim> claims(const Library&) { return {}; }
    static std::vector<api::Cause> admit(const Library& library, const Library*, const runtime::Inputs&) {
        if (library.spec.titles != std::vector<std::string>{"banned"}) return {};
        return {{"FieldValueInvalid", "nobody may read that", "spec.titles[0]"}};
    }
    static runtime::Composition<Library> compose(const Library& library, const runtime::Children& children,
                                                 const runtime::Inputs&) {
        runtime::Composition<Library> out;
        out.status.chosen = library.status.chosen;
        const auto books = children.all<Book>();
        const bool deleting = library.metadata.deleting();
        if (!deleting || !books.empty()) out.children.push_back(key(library));
        if (deleting) {
            out.verdict = {Verdict::State::progressing, "Deleting", ""};
            return out;
        }
        if (library.spec.read_key.value_or(false) && !children.find(api::secret_kind, library.metadata.name + "-key")) {
            out.complete = false;
            return out;
        }
        if (library.spec.choose.value_or(false) && library.status.chosen.empty()) {
            out.status.chosen = "oak";
            out.complete = false;
            return out;
        }
        std::size_t ready = 0;
        for (const auto& title : library.spec.titles) {
            runtime::Child child;
            Book book;
            book.metadata.name = library.metadata.name + "-" + title;
            book.spec.shelf = library.spec.shelf;
            book.spec.title = title;
            book.spec.text = library.status.chosen;
            child.object = api::encode_object(book);
            if (title == library.spec.waits_for) child.waiting_for = "somebody";
            out.children.push_back(std::move(child));
        }
        for (const auto& book : books)
            for (const auto& condition : book.status.conditions)
                if (condition.type == "Ready" && condition.status == "True") ++ready;
        out.findings = {
            {"BooksReady", ready == library.spec.titles.size() ? "True" : "False", "Counted", std::to_string(ready)}};
        out.notes = {{false, "Composed", "for the first time"}};
        if (ready == library.spec.titles.size()) out.verdict = {Verdict::State::ready, "Complete", ""};
        return out;
    }
    static runtime::Child key(const Library& library) {
        runtime::Child child;
        child.create_only = true;
        child.retain = library.spec.retain_key.value_or(false);
        child.adopt = library.spec.adopt_key.value_or(false);
        child.generated["key"] = {runtime::Generate::Form::alphanumeric, 20};
        api::json::object metadata, object;
        metadata["name"] = library.metadata.name + "-key";
        object["apiVersion"] = "v1";
        object["kind"] = "Secret";
        object["metadata"] = std::move(metadata);
        child.object = std::move(object);
        return child;
    }
};

}  // namespace ocim::test
