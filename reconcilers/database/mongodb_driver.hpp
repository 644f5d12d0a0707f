#pragma once

#include <mongoc/mongoc.h>

namespace ocim::database::mongodb {

/// libmongoc, loaded when a MongoDB is first spoken to: it starts itself as it is loaded, with the libraries behind it,
/// which a person who only asks for help would wait for, and would be told of its troubles. Its functions, without
/// their prefix.
class Driver {
public:
    /// Null when it is not installed.
    static const Driver* get();

    decltype(&::mongoc_client_command_simple) client_command_simple{};
    decltype(&::mongoc_client_destroy) client_destroy{};
    decltype(&::mongoc_client_new_from_uri_with_error) client_new_from_uri_with_error{};
    decltype(&::mongoc_client_set_error_api) client_set_error_api{};
    decltype(&::mongoc_uri_destroy) uri_destroy{};
    decltype(&::mongoc_uri_new_with_error) uri_new_with_error{};
    decltype(&::mongoc_uri_set_appname) uri_set_appname{};
    decltype(&::mongoc_uri_set_auth_mechanism) uri_set_auth_mechanism{};
    decltype(&::mongoc_uri_set_auth_source) uri_set_auth_source{};
    decltype(&::mongoc_uri_set_option_as_bool) uri_set_option_as_bool{};
    decltype(&::mongoc_uri_set_option_as_int32) uri_set_option_as_int32{};
    decltype(&::mongoc_uri_set_option_as_utf8) uri_set_option_as_utf8{};
    decltype(&::mongoc_uri_set_password) uri_set_password{};
    decltype(&::mongoc_uri_set_username) uri_set_username{};

private:
    Driver();
    template <class Function>
    void find(const char* name, Function& out);

    void* library_;
    bool whole_ = true;
};

}  // namespace ocim::database::mongodb
