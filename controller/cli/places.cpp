#include "cli/places.hpp"

#include "cli/encryption.hpp"
#include "cli/files.hpp"

#include <sys/stat.h>
#include <filesystem>

namespace ocim::cli {

namespace {

constexpr std::string_view sqlite_scheme = "sqlite:";

bool is_database(const std::string& text) {
    return text.starts_with("postgres://") || text.starts_with("postgresql://");
}

Result<Secret> read_password(const std::string& path) {
    struct stat facts{};
    if (::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 007) != 0)
        return Error{ErrorClass::invalid, path + " can be read by everybody: run chmod 600 " + path};
    auto text = read_file(path);
    if (!text) return std::move(text).error();
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    if (text->empty()) return Error{ErrorClass::invalid, path + ": there is no such file, or nothing in it"};
    return Secret(*std::move(text));
}

}  // namespace

Result<store::PostgresSettings> open_database(const std::string& url, const std::string& password_file) {
    if (!is_database(url)) return Error{ErrorClass::invalid, "give a URL that begins with postgres://"};
    if (auto good = store::check_postgres_url(url); !good) return std::move(good).error();
    store::PostgresSettings out{url, Secret()};
    if (password_file.empty()) return out;
    auto password = read_password(password_file);
    if (!password) return std::move(password).error().within("--store-password-file");
    out.password = *std::move(password);
    return out;
}

Result<store::Place> parse_place(const std::string& text, const std::string& password_file) {
    store::Place out;
    if (text.starts_with(sqlite_scheme) && text.size() > sqlite_scheme.size()) {
        out.file = text.substr(sqlite_scheme.size());
        return out;
    }
    if (!is_database(text)) return Error{ErrorClass::invalid, "give sqlite:PATH or postgres://USER@HOST/DATABASE"};
    auto database = open_database(text, password_file);
    if (!database) return std::move(database).error();
    out.database = *std::move(database);
    return out;
}

Result<store::KeyRing> keys_of(const Arguments& arguments, const store::Place& place) {
    KeyFile file{arguments.text("encryption-key-file"), arguments.text("encryption-passphrase-file")};
    if (file.path.empty()) {
        if (place.file.empty())
            return Error{ErrorClass::invalid, "--encryption-key-file is needed: DIR/encryption-keys of a server"};
        file.path = (std::filesystem::path(place.file).parent_path() / "encryption-keys").string();
    }
    auto keys = read_keys(file);
    if (!keys) return std::move(keys).error();
    if (!*keys) return Error{ErrorClass::invalid, file.path + " is not there: give --encryption-key-file"};
    return **std::move(keys);
}

}  // namespace ocim::cli
