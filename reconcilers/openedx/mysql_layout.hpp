#pragma once

#include "crd/databasetenants.hpp"

#include <array>
#include <string>
#include <string_view>

/// The MySQL databases of one site and who may do what in them.
namespace ocim::openedx {

enum class Rights { all, read_write, read };

struct SiteDatabase {
    std::string_view database;  ///< suffix of the database's name
    std::string_view user;      ///< suffix of the name of the user whose database it is
    Rights rights;
    std::string_view reader;  ///< suffix of a further user who may read; empty: nobody
};

inline constexpr std::array site_databases{
    SiteDatabase{"ecommerce", "ecommerce", Rights::all, ""},
    SiteDatabase{"dashboard", "dashboard", Rights::all, ""},
    SiteDatabase{"xqueue", "xqueue", Rights::all, ""},
    SiteDatabase{"edxapp", "edxapp", Rights::all, ""},
    SiteDatabase{"edxapp_csmh", "edxapp", Rights::all, ""},
    SiteDatabase{"edx_notes_api", "notes", Rights::read_write, ""},
    SiteDatabase{"notifier", "notifier", Rights::all, ""},
    SiteDatabase{"analytics_api", "api", Rights::all, ""},
    SiteDatabase{"discovery", "discovery", Rights::all, ""},
    SiteDatabase{"reports", "reports", Rights::read, "api"},
    SiteDatabase{"programs", "program", Rights::all, ""},
};

/// Every user's suffix, each once: the services', then migrate, read_only and admin.
std::vector<std::string> site_users();

/// Whose the database server is.
enum class Sharing {
    shared,     ///< of several tenants: nobody's site may make accounts, since CREATE USER opens everybody's
    dedicated,  ///< of whoever runs this site: its admin user may
};

/// The tenant's spec without its server and policies. `secret` holds each user's password under the user's name.
crd::DatabaseTenant::Spec site_tenant(const std::string& database_prefix, const std::string& user_prefix,
                                      const std::string& secret, Sharing sharing);

}  // namespace ocim::openedx
