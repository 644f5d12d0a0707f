#pragma once

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "net/http_client.hpp"

#include <string>
#include <string_view>

namespace ocim::storage {

/// Whom Amazon's Signature Version 4 proves us to be.
struct AwsKey {
    std::string access_key;
    Secret secret_key;
    std::string region, service = "s3";
};

/// Signs the request with every header that it has now: adds x-amz-date, x-amz-content-sha256 and Authorization.
/// `host` is what its Host header will say. The path is signed as it stands in the target, as S3 wants it.
void sign(net::HttpRequest& request, const std::string& host, const AwsKey& key, WallTime now);

std::string sha256_hex(std::string_view bytes);
/// As Content-MD5 wants it.
std::string md5_base64(std::string_view bytes);

}  // namespace ocim::storage
