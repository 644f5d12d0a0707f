#pragma once

#include "openedx/variables.hpp"

/// What tests of variables begin with.
namespace ocim::openedx::test {

/// Published with its vectors in the golden files.
inline MasterKey sample_key() { return *MasterKey::decode(Secret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj")); }

/// With as little as a site can have.
inline Site sample_site() {
    Site out;
    out.display_name = "Demo campus";
    out.email = "courses@example.edu";
    out.release = "open-release/ginkgo.1";
    out.platform_repository = "https://git.example.com/platform.git";
    out.platform_commit = "open-release/ginkgo.1";
    out.configuration_repository = "https://git.example.com/configuration.git";
    out.configuration_version = "master";
    out.internal = {{Service::lms, "demo.example.com"},
                    {Service::lms_preview, "preview-demo.example.com"},
                    {Service::studio, "studio-demo.example.com"},
                    {Service::discovery, "discovery-demo.example.com"},
                    {Service::ecommerce, "ecommerce-demo.example.com"}};
    return out;
}

}  // namespace ocim::openedx::test
