#pragma once

#include "net/http_client.hpp"
#include "storage/provider.hpp"
#include "storage/signature.hpp"

#include <memory>
#include <string>

namespace ocim::storage {

struct S3Settings {
    std::string host;  ///< of the endpoint, with its port if the URL has one
    AwsKey key;
};

/// An account of Amazon S3, or of a service that speaks its protocol. `http` is for the endpoint.
std::unique_ptr<Provider> open_s3(std::unique_ptr<net::HttpClient> http, const runtime::Services& services,
                                  S3Settings settings);

}  // namespace ocim::storage
