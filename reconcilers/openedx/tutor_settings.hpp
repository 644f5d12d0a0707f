#pragma once

#include "openedx/variables.hpp"

#include <map>
#include <string>
#include <vector>

/// What Tutor gets to know of a site.
namespace ocim::openedx {

/// What its config.yml says of the site: where it is, its databases and mail, with the extra settings merged over it.
/// Tutor draws what is not said here.
api::json::object tutor_settings(const Site& site, const std::vector<std::string>& plugins);

/// The images that must be built for it: what is stock is pulled.
std::vector<std::string> tutor_images(const Site& site, std::vector<std::string> declared);

/// A plug-in "ocim" with the patches of the class and then of the Instance, as YAML; "" when there are none.
std::string tutor_plugin(const std::map<std::string, std::string>& of_class,
                         const std::map<std::string, std::string>& own);

}  // namespace ocim::openedx
