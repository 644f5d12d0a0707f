#include "storage/s3_text.hpp"
#include "storage/swift_text.hpp"
#include "storage/xml.hpp"

#include "fuzz/fuzz.hpp"

using namespace ocim;
using namespace ocim::storage;

namespace {

/// What we write of a text is read as that text.
void check_texts(const Xml& node) {
    const auto back = parse_xml("<a>" + xml_text(node.text) + "</a>");
    fuzz::expect(back && back->text == node.text, "a text comes back", node.text);
    for (const auto& child : node.children) check_texts(child);
}

}  // namespace

/// What an S3 service answers, as each of its documents; as headers of Swift line by line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string body(reinterpret_cast<const char*>(data), size);
    if (const auto root = parse_xml(body)) check_texts(*root);
    if (const auto tags = read_tags(body)) {
        const auto back = read_tags(write_tags(*tags));
        fuzz::expect(back && *back == *tags, "tags come back", body);
    }
    Cors cors, cors_back;
    if (const auto ours = read_cors(body, cors); ours && *ours) {
        const auto back = read_cors(write_cors(cors), cors_back);
        fuzz::expect(back && *back && cors == cors_back, "CORS comes back", body);
    }
    if (const auto versions = read_versions(body)) {
        const auto deletion = parse_xml(write_deletion(*versions));
        fuzz::expect(deletion && deletion->children.size() == versions->size() + 1, "each is deleted once", body);
    }
    (void)read_versioning(body);
    (void)error_code(body);
    if (const auto checked = check_deletion(body); !checked) {
        const auto& said = checked.error().message;
        fuzz::expect(said.find_first_of("\r\n") == said.npos, "an error is one line", said);
    }
    Access access, access_back;
    if (read_policy("b", body, access)) {
        const auto policy = write_policy("b", access);
        fuzz::expect(policy.empty() || (read_policy("b", policy, access_back) && access == access_back),
                     "a policy comes back", body);
    }
    Headers headers;
    for (const auto line : fuzz::lines(data, size, 10))
        if (const auto colon = line.find(':'); colon != line.npos)
            headers[std::string(line.substr(0, colon))] = std::string(line.substr(colon + 1));
    (void)read_headers(headers);
    return 0;
}
