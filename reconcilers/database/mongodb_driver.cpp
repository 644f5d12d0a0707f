#include "database/mongodb_driver.hpp"

#include <dlfcn.h>

namespace ocim::database::mongodb {

const Driver* Driver::get() {
    static const Driver driver;  // the library's own start is not safe on several threads
    return driver.whole_ ? &driver : nullptr;
}

template <class Function>
void Driver::find(const char* name, Function& out) {
    if (library_) out = reinterpret_cast<Function>(::dlsym(library_, name));
    whole_ = whole_ && out;
}

Driver::Driver() : library_(::dlopen("libmongoc-1.0.so.0", RTLD_NOW | RTLD_LOCAL)) {
    decltype(&::mongoc_init) init{};
    decltype(&::mongoc_log_set_handler) log_set_handler{};
    find("mongoc_init", init);
    find("mongoc_log_set_handler", log_set_handler);
    find("mongoc_client_command_simple", client_command_simple);
    find("mongoc_client_destroy", client_destroy);
    find("mongoc_client_new_from_uri_with_error", client_new_from_uri_with_error);
    find("mongoc_client_set_error_api", client_set_error_api);
    find("mongoc_uri_destroy", uri_destroy);
    find("mongoc_uri_new_with_error", uri_new_with_error);
    find("mongoc_uri_set_appname", uri_set_appname);
    find("mongoc_uri_set_auth_mechanism", uri_set_auth_mechanism);
    find("mongoc_uri_set_auth_source", uri_set_auth_source);
    find("mongoc_uri_set_option_as_bool", uri_set_option_as_bool);
    find("mongoc_uri_set_option_as_int32", uri_set_option_as_int32);
    find("mongoc_uri_set_option_as_utf8", uri_set_option_as_utf8);
    find("mongoc_uri_set_password", uri_set_password);
    find("mongoc_uri_set_username", uri_set_username);
    if (!whole_) return;
    log_set_handler(nullptr, nullptr);  // it would write to stderr; errors come back to us
    init();
}

}  // namespace ocim::database::mongodb
