#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

/// Names that an Instance has in other systems. Made once from a short random id, which is kept with the Instance's
/// secrets, so that two sites never share one and a site that comes back finds its own.
namespace ocim::openedx {

/// The services of a site that have a name of their own, in the order in which everything lists them.
enum class Service { lms, lms_preview, studio, discovery, ecommerce, apps, meilisearch };
inline constexpr std::array services{Service::lms,       Service::lms_preview, Service::studio,     Service::discovery,
                                     Service::ecommerce, Service::apps,        Service::meilisearch};
/// Those that only sites made by Tutor have: they are where Tutor looks for them, in front of the LMS's name.
inline constexpr std::array tutor_services{Service::apps, Service::meilisearch};
/// "lms", "preview", "studio", …: a part of object names.
std::string_view short_name(Service service);

/// `text` with everything but letters and digits as "_", in lower case, cut to `length_max`, never ending in "_".
std::string identifier(std::string_view text, std::size_t length_max);

/// "campus_demo_k3x9qmzt": a prefix of database names. With the longest suffix it stays within MySQL's 64.
std::string database_prefix(std::string_view lms_domain, std::string_view id);
/// A prefix of MySQL user names: with the longest suffix within MySQL 8's 32.
std::string mysql_user_prefix(std::string_view subdomain, std::string_view id);
std::string vhost_name(std::string_view subdomain, std::string_view id);
/// "ocim-demo-k3x9qmzt", as S3 wants it too: within 63, one for all customers of the service.
std::string container_name(std::string_view subdomain, std::string_view id);

/// The names that Ocim gave before it had resources, for sites that come from there. Dots become "_" and all else but
/// letters, digits and "_" vanishes, so that two domains may give one name: beyond 50 characters the last four are of
/// the whole name's MD5.
std::string ocim_v1_database_prefix(std::string_view lms_domain);

/// nginx's server name for several domains: "^(studio\.example\.com|studio\-demo\.example\.net)$".
std::string nginx_pattern(const std::vector<std::string>& domains);

}  // namespace ocim::openedx
