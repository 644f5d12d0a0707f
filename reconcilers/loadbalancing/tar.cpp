#include "loadbalancing/tar.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <utility>

namespace ocim::loadbalancing {

namespace {

constexpr std::size_t block = 512;
constexpr std::size_t path_bytes_max = 100;

struct Field {
    std::size_t offset, length;
};
constexpr Field name_field{0, 100}, mode_field{100, 8}, size_field{124, 12}, sum_field{148, 8}, type_field{156, 1},
    magic_field{257, 6}, prefix_field{345, 155};

using Header = std::array<char, block>;

void put_octal(Header& header, Field field, std::uint64_t value) {
    // digits and a NUL, as POSIX wants it
    for (auto at = field.offset + field.length - 1; at-- > field.offset; value >>= 3)
        header[at] = static_cast<char>('0' + (value & 7));
}

void put_text(Header& header, Field field, std::string_view text) {
    std::ranges::copy(text.substr(0, field.length), header.begin() + static_cast<std::ptrdiff_t>(field.offset));
}

std::string_view text_of(std::string_view header, Field field) {
    const auto text = header.substr(field.offset, field.length);
    return text.substr(0, text.find('\0'));
}

std::uint64_t octal_of(std::string_view header, Field field) {
    std::uint64_t value = 0;
    for (const char c : header.substr(field.offset, field.length))
        if (c >= '0' && c <= '7') value = value * 8 + static_cast<std::uint64_t>(c - '0');
    return value;
}

std::uint64_t sum_of(std::string_view header) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < block; ++i) {
        const bool in_sum = i >= sum_field.offset && i < sum_field.offset + sum_field.length;
        sum += in_sum ? static_cast<unsigned char>(' ') : static_cast<unsigned char>(header[i]);
    }
    return sum;
}

Error garbled(const char* why) { return Error{ErrorClass::transient, std::string("the archive is garbled: ") + why}; }

}  // namespace

std::string write_tar(const std::vector<TarFile>& files) {
    std::string out;
    for (const auto& file : files) {
        assert(file.path.size() <= path_bytes_max);
        Header header{};
        put_text(header, name_field, file.path);
        put_octal(header, mode_field, file.mode);
        put_octal(header, size_field, file.content.size());
        put_text(header, type_field, "0");
        put_text(header, magic_field, std::string_view("ustar\0", 6));
        put_text(header, {263, 2}, "00");
        put_octal(header, {136, 12}, 0);  // the time means nothing here
        put_octal(header, sum_field, sum_of({header.data(), block}));
        out.append(header.data(), block);
        out += file.content;
        out.append((block - file.content.size() % block) % block, '\0');
    }
    out.append(2 * block, '\0');
    return out;
}

Result<std::vector<TarFile>> read_tar(std::string_view stream) {
    std::vector<TarFile> out;
    std::string long_name;
    for (;;) {
        if (stream.size() < block) return garbled("it ends before its end mark");
        const auto header = stream.substr(0, block);
        if (std::ranges::all_of(header, [](char c) { return c == '\0'; })) return out;
        if (sum_of(header) != octal_of(header, sum_field)) return garbled("a sum does not match");
        const auto size = octal_of(header, size_field);
        const auto padded = (size + block - 1) / block * block;
        if (size > stream.size() || padded > stream.size() - block) return garbled("a file is cut off");
        const auto content = stream.substr(block, size);
        const char type = header[type_field.offset];
        stream.remove_prefix(block + padded);
        if (type == 'L') {  // GNU: the name of what follows
            long_name = content.substr(0, content.find('\0'));
            continue;
        }
        std::string path(text_of(header, name_field));
        const bool posix = text_of(header, magic_field) == "ustar";  // GNU's own form has a blank there and no prefix
        if (const auto prefix = text_of(header, prefix_field); posix && !prefix.empty())
            path = std::string(prefix) + "/" + path;
        if (!long_name.empty()) path = std::exchange(long_name, {});
        if (type == '0' || type == '\0')
            out.push_back({std::move(path), std::string(content), static_cast<unsigned>(octal_of(header, mode_field))});
    }
}

}  // namespace ocim::loadbalancing
