#include "gitops/pack.hpp"

#include "base/utf8.hpp"
#include "gitops/limits.hpp"
#include "gitops/workspace.hpp"

#include <git2.h>
#include <git2/odb_backend.h>
#include <git2/sys/repository.h>

#include <algorithm>
#include <chrono>
#include <memory>

namespace ocim::gitops {

namespace {

constexpr std::size_t reason_max = 300;

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* one) const {
        Free(one);
    }
};
template <class T, auto Free>
using Held = std::unique_ptr<T, Freed<Free>>;

using Indexer = Held<git_indexer, git_indexer_free>;
using Database = Held<git_odb, git_odb_free>;
using RepositoryPtr = Held<git_repository, git_repository_free>;
using Object = Held<git_object, git_object_free>;
using TreePtr = Held<git_tree, git_tree_free>;
using Blob = Held<git_blob, git_blob_free>;

/// For the whole program: the library counts who uses it.
struct Library {
    Library() {
        git_libgit2_init();
        git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, limits::pack_objects_max);
        git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, limits::object_bytes_max);
    }
    ~Library() { git_libgit2_shutdown(); }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
};

Error failed(ErrorClass error_class, const std::string& what) {
    const auto* last = git_error_last();
    return {error_class, what + (last && last->message ? ": " + one_line(last->message, reason_max) : "")};
}

/// How long the thread may be kept: a small pack can be made to take hours.
class Patience {
public:
    explicit Patience(std::chrono::steady_clock::duration most) : until_(std::chrono::steady_clock::now() + most) {}
    bool over() const { return std::chrono::steady_clock::now() >= until_; }
    static Error exhausted() {
        return {ErrorClass::invalid, "the commit takes longer to unpack than it may; choose a smaller repository"};
    }
    /// For the library: a number other than 0 ends its work.
    static int ask(const git_indexer_progress*, void* self) {
        return static_cast<const Patience*>(self)->over() ? GIT_EUSER : 0;
    }

private:
    std::chrono::steady_clock::time_point until_;
};

/// Writes the pack and its index; says where the index is.
Result<std::string> index_of(const std::string& pack, const std::string& directory, Patience& patience) {
    git_indexer* raw = nullptr;
    git_indexer_options options{};
    git_indexer_options_init(&options, GIT_INDEXER_OPTIONS_VERSION);
    options.progress_cb = Patience::ask;
    options.progress_cb_payload = &patience;
    if (git_indexer_new(&raw, directory.c_str(), 0600, nullptr, &options) != 0)
        return failed(ErrorClass::transient, "a pack cannot be written");
    const Indexer indexer(raw);
    git_indexer_progress progress{};
    if (git_indexer_append(indexer.get(), pack.data(), pack.size(), &progress) != 0 ||
        git_indexer_commit(indexer.get(), &progress) != 0)
        return patience.over() ? Patience::exhausted() : failed(ErrorClass::invalid, "the pack cannot be read");
    return directory + "/pack-" + git_indexer_name(indexer.get()) + ".idx";
}

Result<RepositoryPtr> open_pack(const std::string& index) {
    git_odb* raw = nullptr;
    if (git_odb_new(&raw) != 0) return failed(ErrorClass::transient, "no object database");
    const Database database(raw);
    git_odb_backend* backend = nullptr;
    if (git_odb_backend_one_pack(&backend, index.c_str()) != 0)
        return failed(ErrorClass::invalid, "the pack cannot be opened");
    if (git_odb_add_backend(database.get(), backend, 1) != 0)
        return failed(ErrorClass::transient, "the pack cannot be used");
    git_repository* repository = nullptr;
    if (git_repository_wrap_odb(&repository, database.get()) != 0)
        return failed(ErrorClass::transient, "the pack cannot be used");
    return RepositoryPtr(repository);
}

bool is_manifest(std::string_view name) {
    return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

/// Goes through a folder and those below it.
class Walk {
public:
    Walk(git_repository* repository, git_odb* database, const Patience& patience)
        : repository_(repository), database_(database), patience_(patience) {}

    Result<void> folder(const git_tree* tree, const std::string& at, std::size_t depth) {
        if (depth > limits::folders_depth_max) return too_much("folders within each other", limits::folders_depth_max);
        for (std::size_t i = 0; i < git_tree_entrycount(tree); ++i) {
            if (patience_.over()) return Patience::exhausted();
            if (++entries_ > limits::entries_max) return too_much("files and folders", limits::entries_max);
            if (auto taken = entry(git_tree_entry_byindex(tree, i), at, depth); !taken) return taken;
        }
        return {};
    }
    Tree take() {
        std::ranges::sort(out_.files, {}, &File::path);
        return std::move(out_);
    }

private:
    static Error too_much(const std::string& what, std::size_t most) {
        return {ErrorClass::invalid, "there are more than " + std::to_string(most) + " " + what +
                                         " below spec.path; choose a smaller folder"};
    }
    void refuse(const std::string& path, std::string why) {
        if (out_.faults.size() < limits::faults_max) out_.faults.push_back({path, 0, "", "", std::move(why)});
    }

    Result<void> entry(const git_tree_entry* one, const std::string& at, std::size_t depth) {
        const std::string name = git_tree_entry_name(one);
        const auto path = at.empty() ? name : at + "/" + name;
        switch (git_tree_entry_filemode(one)) {
            case GIT_FILEMODE_TREE: {
                if (name.starts_with('.')) return {};
                git_tree* raw = nullptr;
                if (git_tree_lookup(&raw, repository_, git_tree_entry_id(one)) != 0)
                    return failed(ErrorClass::invalid, "the folder " + path + " is not in the pack");
                const TreePtr tree(raw);
                return folder(tree.get(), path, depth + 1);
            }
            case GIT_FILEMODE_BLOB:
            case GIT_FILEMODE_BLOB_EXECUTABLE: return is_manifest(name) ? file(one, path) : Result<void>();
            case GIT_FILEMODE_LINK:
                if (is_manifest(name)) refuse(path, "is a symbolic link, and none is followed; put the file there");
                return {};
            case GIT_FILEMODE_COMMIT:  // a submodule: another repository
            case GIT_FILEMODE_UNREADABLE: return {};
        }
        return {};
    }

    Result<void> file(const git_tree_entry* one, const std::string& path) {
        if (out_.files.size() == limits::files_max) return too_much("manifests", limits::files_max);
        std::size_t size = 0;
        git_object_t type = GIT_OBJECT_INVALID;
        if (git_odb_read_header(&size, &type, database_, git_tree_entry_id(one)) != 0)
            return failed(ErrorClass::invalid, "the file " + path + " is not in the pack");
        if (size > limits::file_bytes_max) {
            refuse(path, "has " + std::to_string(size) + " bytes, and " + std::to_string(limits::file_bytes_max) +
                             " are the most; split it");
            return {};
        }
        bytes_ += size;
        if (bytes_ > limits::files_bytes_max) return too_much("bytes of manifests", limits::files_bytes_max);
        git_blob* raw = nullptr;
        if (git_blob_lookup(&raw, repository_, git_tree_entry_id(one)) != 0)
            return failed(ErrorClass::invalid, "the file " + path + " is not in the pack");
        const Blob blob(raw);
        // the content as it is stored: filters and attributes are no concern of ours
        out_.files.push_back({path, std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())), size)});
        return {};
    }

    git_repository* repository_;
    git_odb* database_;
    const Patience& patience_;
    Tree out_;
    std::size_t entries_ = 0, bytes_ = 0;
};

std::string tidy(std::string path) {
    if (path.starts_with("./")) path.erase(0, 2);
    while (path.ends_with('/')) path.pop_back();
    return path == "." ? "" : path;
}

Result<TreePtr> folder_of(git_repository* repository, const std::string& commit, const std::string& path) {
    git_oid id{};
    git_object* raw = nullptr;
    if (git_oid_fromstr(&id, commit.c_str()) != 0 || git_object_lookup(&raw, repository, &id, GIT_OBJECT_COMMIT) != 0)
        return failed(ErrorClass::not_found, "the commit " + commit + " is not what the server sent");
    const Object found(raw);
    git_tree* top = nullptr;
    if (git_commit_tree(&top, reinterpret_cast<const git_commit*>(found.get())) != 0)
        return failed(ErrorClass::invalid, "the commit has no files");
    TreePtr root(top);
    if (path.empty()) return root;
    const Error missing{ErrorClass::not_found,
                        "the commit " + commit + " has no folder " + path + "; push it, or mend spec.path"};
    git_tree_entry* entry = nullptr;
    if (git_tree_entry_bypath(&entry, root.get(), path.c_str()) != 0) return missing;
    const Held<git_tree_entry, git_tree_entry_free> held(entry);
    git_tree* tree = nullptr;
    if (git_tree_entry_filemode(entry) != GIT_FILEMODE_TREE ||
        git_tree_lookup(&tree, repository, git_tree_entry_id(entry)) != 0)
        return missing;
    return TreePtr(tree);
}

/// The library takes the first line that looks like a signature's, be it in the message, and ends at a NUL; Git knows
/// only that of the header.
bool has_plain_signature(std::string_view commit) {
    if (commit.find('\0') != std::string_view::npos) return false;
    const auto header = commit.substr(0, commit.find("\n\n"));
    return header.find("\ngpgsig ") != std::string_view::npos;
}

Signed signed_commit(git_repository* repository, git_odb* database, const std::string& commit) {
    git_oid id{};
    git_odb_object* bytes = nullptr;
    if (git_oid_fromstr(&id, commit.c_str()) != 0 || git_odb_read(&bytes, database, &id) != 0) return {};
    const Held<git_odb_object, git_odb_object_free> held(bytes);
    if (!has_plain_signature({static_cast<const char*>(git_odb_object_data(bytes)), git_odb_object_size(bytes)}))
        return {};
    git_buf signature{}, text{};
    Signed out;
    if (git_commit_extract_signature(&signature, &text, repository, &id, nullptr) == 0)
        out = {std::string(text.ptr, text.size), std::string(signature.ptr, signature.size)};
    git_buf_dispose(&signature);
    git_buf_dispose(&text);
    return out;
}

/// Of a tag the signature is the end of its text: from the last line with which one begins, as Git has it.
Signed signed_text(std::string_view whole) {
    std::size_t cut = whole.size();
    for (std::size_t at = 0; at < whole.size(); at = std::min(whole.find('\n', at), whole.size() - 1) + 1) {
        const auto line = whole.substr(at);
        if (line.starts_with("-----BEGIN PGP SIGNATURE-----") || line.starts_with("-----BEGIN SSH SIGNATURE-----"))
            cut = at;
    }
    return {std::string(whole.substr(0, cut)), std::string(whole.substr(cut))};
}

void take_tag(git_repository* repository, git_odb* database, const Target& target, Tree& out) {
    git_oid id{};
    git_tag* raw = nullptr;
    if (git_oid_fromstr(&id, target.want.c_str()) != 0 || git_tag_lookup(&raw, repository, &id) != 0) return;
    const Held<git_tag, git_tag_free> tag(raw);
    git_oid commit{};
    // a signature on a tag of something else says nothing of this commit
    if (git_oid_fromstr(&commit, target.commit.c_str()) != 0 || !git_oid_equal(git_tag_target_id(tag.get()), &commit))
        return;
    git_odb_object* bytes = nullptr;
    if (git_odb_read(&bytes, database, &id) != 0) return;
    const Held<git_odb_object, git_odb_object_free> held(bytes);
    out.tag = signed_text({static_cast<const char*>(git_odb_object_data(bytes)), git_odb_object_size(bytes)});
    out.tag_name = git_tag_name(tag.get());
}

}  // namespace

Result<Tree> read_tree(const std::string& pack, const Target& target, const std::string& path,
                       const std::string& workspace, std::chrono::steady_clock::duration most) {
    const Library library;
    Patience patience(most);
    const auto directory = Workspace::make(workspace);
    if (!directory) return directory.error();
    const auto index = index_of(pack, (*directory)->path(), patience);
    if (!index) return index.error();
    const auto repository = open_pack(*index);
    if (!repository) return repository.error();
    const auto at = tidy(path);
    const auto tree = folder_of(repository->get(), target.commit, at);
    if (!tree) return tree.error();
    git_odb* raw = nullptr;
    if (git_repository_odb(&raw, repository->get()) != 0) return failed(ErrorClass::transient, "no object database");
    const Database database(raw);
    Walk walk(repository->get(), database.get(), patience);
    if (auto walked = walk.folder(tree->get(), at, 0); !walked) return std::move(walked).error();
    auto out = walk.take();
    out.commit = signed_commit(repository->get(), database.get(), target.commit);
    if (target.want != target.commit) take_tag(repository->get(), database.get(), target, out);
    return out;
}

}  // namespace ocim::gitops
