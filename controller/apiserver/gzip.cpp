#include "apiserver/gzip.hpp"

#include <zlib.h>
#include <cassert>

namespace ocim::apiserver {

std::string gzip(const std::string& text) {
    z_stream stream{};
    constexpr int gzip_window = 15 + 16;  // zlib's way to ask for gzip's header
    [[maybe_unused]] int code = deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY);
    assert(code == Z_OK);
    std::string out(deflateBound(&stream, text.size()), '\0');
    // zlib reads the input without changing it, but does not say so
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    code = deflate(&stream, Z_FINISH);
    assert(code == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

}  // namespace ocim::apiserver
