#include "database/mongodb_connection.hpp"

#include "base/utf8.hpp"
#include "database/mongodb_commands.hpp"
#include "database/mongodb_driver.hpp"

#include <limits>
#include <string_view>

namespace ocim::database::mongodb {

namespace {

using api::Json;
namespace json = api::json;

/// How deep what a stranger keeps beside a user is read; the server's own bound is 100.
constexpr int depth_max = 64;

/// A document that frees itself.
class Document {
public:
    Document() { bson_init(&bson_); }
    ~Document() { bson_destroy(&bson_); }
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;
    bson_t* get() { return &bson_; }

private:
    bson_t bson_;
};

int size_of(std::string_view text) { return static_cast<int>(text.size()); }

bool append(bson_t* out, std::string_view key, const Json& value);

bool append_members(bson_t* out, const json::object& members) {
    for (const auto& [key, value] : members)
        if (!append(out, key, value)) return false;
    return true;
}

bool append_items(bson_t* out, const json::array& items) {
    for (std::size_t i = 0; i < items.size(); ++i)
        if (!append(out, std::to_string(i), items[i])) return false;
    return true;
}

bool append_number(bson_t* out, std::string_view key, std::int64_t number) {
    const bool narrow = key != "getMore" && number >= std::numeric_limits<std::int32_t>::min() &&
                        number <= std::numeric_limits<std::int32_t>::max();
    return narrow ? bson_append_int32(out, key.data(), size_of(key), static_cast<std::int32_t>(number))
                  : bson_append_int64(out, key.data(), size_of(key), number);
}

/// False when the document would be larger than a document can be.
bool append(bson_t* out, std::string_view key, const Json& value) {
    bson_t child;
    switch (value.kind()) {
        case json::kind::string:
            return bson_append_utf8(out, key.data(), size_of(key), value.get_string().data(),
                                    size_of(value.get_string()));
        case json::kind::bool_: return bson_append_bool(out, key.data(), size_of(key), value.get_bool());
        case json::kind::int64: return append_number(out, key, value.get_int64());
        case json::kind::uint64: return append_number(out, key, static_cast<std::int64_t>(value.get_uint64()));
        case json::kind::double_: return bson_append_double(out, key.data(), size_of(key), value.get_double());
        case json::kind::null: return bson_append_null(out, key.data(), size_of(key));
        case json::kind::object:
            return bson_append_document_begin(out, key.data(), size_of(key), &child) &&
                   append_members(&child, value.get_object()) && bson_append_document_end(out, &child);
        case json::kind::array: break;
    }
    return bson_append_array_begin(out, key.data(), size_of(key), &child) && append_items(&child, value.get_array()) &&
           bson_append_array_end(out, &child);
}

std::string hex(const std::uint8_t* bytes, std::size_t size) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (std::size_t i = 0; i < size; ++i) {
        out += digits[bytes[i] >> 4];
        out += digits[bytes[i] & 15];
    }
    return out;
}

Json value_of(const bson_iter_t& at, int depth);

json::object members_of(bson_iter_t* at, int depth) {
    json::object out;
    while (bson_iter_next(at)) out[valid_utf8(bson_iter_key(at))] = value_of(*at, depth);
    return out;
}

Json text_of(const bson_iter_t& at) {
    std::uint32_t size = 0;
    const auto* text = bson_iter_utf8(&at, &size);
    return Json(valid_utf8({text, size}));
}

Json bytes_of(const bson_iter_t& at) {
    bson_subtype_t subtype{};
    std::uint32_t size = 0;
    const std::uint8_t* bytes = nullptr;
    bson_iter_binary(&at, &subtype, &size, &bytes);
    return Json(hex(bytes, size));
}

/// Types that no answer to our commands has are null.
Json value_of(const bson_iter_t& at, int depth) {
    const auto type = bson_iter_type(&at);
    if (type == BSON_TYPE_UTF8) return text_of(at);
    if (type == BSON_TYPE_INT32) return Json(bson_iter_int32(&at));
    if (type == BSON_TYPE_INT64) return Json(bson_iter_int64(&at));
    if (type == BSON_TYPE_DOUBLE) return Json(bson_iter_double(&at));
    if (type == BSON_TYPE_BOOL) return Json(bson_iter_bool(&at));
    if (type == BSON_TYPE_BINARY) return bytes_of(at);
    bson_iter_t inner;
    if (depth >= depth_max || (type != BSON_TYPE_DOCUMENT && type != BSON_TYPE_ARRAY) ||
        !bson_iter_recurse(&at, &inner))
        return nullptr;
    if (type == BSON_TYPE_DOCUMENT) return members_of(&inner, depth + 1);
    json::array items;
    while (bson_iter_next(&inner)) items.push_back(value_of(inner, depth + 1));
    return items;
}

struct FreeUri {
    void operator()(mongoc_uri_t* uri) const { Driver::get()->uri_destroy(uri); }
};
using Uri = std::unique_ptr<mongoc_uri_t, FreeUri>;

Result<Uri> uri_of(const Driver& driver, const ConnectionSettings& settings) {
    std::string hosts;  // of these characters none has a meaning in a URL: the schema sees to it
    for (const auto& host : settings.hosts) hosts += (hosts.empty() ? "" : ",") + host;
    bson_error_t error{};
    Uri uri(driver.uri_new_with_error(("mongodb://" + hosts + "/").c_str(), &error));
    if (!uri) return Error{ErrorClass::invalid, "hosts: " + one_line(error.message, 200)};
    const auto milliseconds = [](unsigned seconds) { return static_cast<std::int32_t>(seconds * 1000); };
    bool ok = driver.uri_set_username(uri.get(), settings.username.c_str()) &&
              driver.uri_set_password(uri.get(), settings.password.reveal().c_str()) &&
              driver.uri_set_auth_source(uri.get(), settings.auth_source.c_str()) &&
              driver.uri_set_auth_mechanism(uri.get(), settings.mechanism.c_str()) &&
              driver.uri_set_appname(uri.get(), "ocim");
    const auto number = [&](const char* name, std::int32_t value) {
        ok = ok && driver.uri_set_option_as_int32(uri.get(), name, value);
    };
    number(MONGOC_URI_CONNECTTIMEOUTMS, milliseconds(settings.connect_seconds));
    number(MONGOC_URI_SERVERSELECTIONTIMEOUTMS, milliseconds(settings.connect_seconds));
    number(MONGOC_URI_SOCKETTIMEOUTMS, milliseconds(settings.reply_seconds));
    const auto text = [&](const char* name, const std::string& value) {
        ok = ok && driver.uri_set_option_as_utf8(uri.get(), name, value.c_str());
    };
    if (!settings.replica_set.empty()) text(MONGOC_URI_REPLICASET, settings.replica_set);
    if (settings.tls != ConnectionSettings::Tls::disabled) {
        ok = ok && driver.uri_set_option_as_bool(uri.get(), MONGOC_URI_TLS, true);
        const bool verify = settings.tls == ConnectionSettings::Tls::verify_identity;
        // what a certificate names to be asked about itself would be called without a bound of time
        ok = ok && driver.uri_set_option_as_bool(
                       uri.get(), verify ? MONGOC_URI_TLSDISABLEOCSPENDPOINTCHECK : MONGOC_URI_TLSINSECURE, true);
        if (verify && !settings.ca_file.empty()) text(MONGOC_URI_TLSCAFILE, settings.ca_file);
    }
    if (!ok) return Error{ErrorClass::invalid, "user name, password or name of the replica set cannot be sent"};
    return uri;
}

/// The words of an error without what we had sent: a refusal repeats the command.
std::string words_of(std::string_view text, const Secret& password) {
    auto out = one_line(text.substr(0, text.find('{')), 300);
    if (!password.empty() && out.find(password.reveal()) != std::string::npos) out = "it repeats what was sent";
    while (out.ends_with(' ')) out.pop_back();
    return out;
}

Error refusal(int code, std::string_view said, const Secret& password) {
    Error out{class_of(code), "MongoDB error " + std::to_string(code) + ": " + words_of(said, password)};
    out.outcome_unknown = effect_unknown(code);
    return out;
}

Error failure(const bson_error_t& error, const Secret& password) {
    const std::string_view said(error.message);
    if (error.domain == MONGOC_ERROR_SERVER) return refusal(static_cast<int>(error.code), said, password);
    // the library calls everything that goes wrong while it logs in a refusal, a lost connection too
    const bool refused = error.domain == MONGOC_ERROR_CLIENT && error.code == MONGOC_ERROR_CLIENT_AUTHENTICATE;
    const bool lost = said.find("socket error or timeout") != std::string_view::npos ||
                      said.find("Failed to ") != std::string_view::npos;
    if (refused && !lost) return {ErrorClass::auth, "the server refuses our account: " + words_of(said, password)};
    Error out{ErrorClass::unreachable, words_of(said, password)};
    out.outcome_unknown = !refused && error.domain != MONGOC_ERROR_SERVER_SELECTION;
    return out;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const ConnectionSettings& settings) {
    const auto* driver = Driver::get();
    if (!driver)
        return Error{ErrorClass::unreachable,
                     "MongoDB is spoken to by libmongoc, which is not installed here: apt-get install libmongoc-1.0-0, "
                     "and start ocim again"};
    auto uri = uri_of(*driver, settings);
    if (!uri) return std::move(uri).error();
    bson_error_t error{};
    auto* client = driver->client_new_from_uri_with_error(uri->get(), &error);
    if (!client) return Error{ErrorClass::invalid, one_line(error.message, 200)};
    std::unique_ptr<Connection> connection(new Connection(settings, client));  // the constructor is private
    if (!driver->client_set_error_api(client, MONGOC_ERROR_API_VERSION_2))
        return Error{ErrorClass::transient, "the client library cannot be set up"};
    if (auto answered = connection->run("admin", {{"ping", 1}}); !answered) return std::move(answered).error();
    return connection;
}

Connection::~Connection() { Driver::get()->client_destroy(client_); }

Result<json::object> Connection::run(const std::string& database, json::object command, const Secret& password) {
    code_ = 0;
    Document sent, reply_to_free;
    const auto name = std::string(command.begin()->key());
    bool fits = append_members(sent.get(), command);
    if (!password.empty())
        fits = fits && bson_append_utf8(sent.get(), "pwd", 3, password.reveal().data(), size_of(password.reveal()));
    if (!fits) return Error{ErrorClass::invalid, name + ": the command is too large"};
    bson_t* reply = reply_to_free.get();
    bson_destroy(reply);  // the library makes it anew
    bson_error_t error{};
    const bool ok = Driver::get()->client_command_simple(client_, database.c_str(), sent.get(), nullptr, reply, &error);
    if (!ok) {
        if (error.domain == MONGOC_ERROR_SERVER) code_ = static_cast<int>(error.code);
        return failure(error, password);
    }
    bson_iter_t at;
    if (!bson_iter_init(&at, reply)) return Error{ErrorClass::transient, name + ": an answer that is none"};
    auto out = members_of(&at, 0);
    if (const auto* concern = out.if_contains("writeConcernError")) {
        code_ = 64;
        Error unconfirmed{ErrorClass::transient, name + ": done, but not confirmed by a majority of the replica set: " +
                                                     words_of(api::find_text(*concern, {"errmsg"}), password)};
        unconfirmed.outcome_unknown = true;
        return unconfirmed;
    }
    const auto* errors = name == "insert" ? nullptr : out.if_contains("writeErrors");
    if (errors && errors->is_array() && !errors->get_array().empty()) {
        const auto& first = errors->get_array().front();
        const auto* number = api::find(first, {"code"});
        code_ = number && number->is_int64() ? static_cast<int>(number->get_int64()) : 0;
        return refusal(code_, api::find_text(first, {"errmsg"}), password);
    }
    return out;
}

Result<bool> Connection::lets_in(const std::string& username, const std::string& auth_source, const Secret& password,
                                 const std::string& mechanism) const {
    auto settings = settings_;
    settings.username = username;
    settings.auth_source = auth_source;
    settings.password = password;
    settings.mechanism = mechanism;
    auto opened = open(settings);
    if (opened) return true;
    if (opened.error().error_class == ErrorClass::auth) return false;
    return std::move(opened).error();
}

}  // namespace ocim::database::mongodb
