#include "api/apply.hpp"

namespace ocim::api {

namespace {

/// Every place is an object of such places, or, where the value is none, one whole.
class Deduced final : public TypeNode {
public:
    Shape shape() const override { return Shape::map; }
    const TypeNode* field(std::string_view) const override { return this; }
    bool declares(std::string_view) const override { return false; }
    const TypeNode* item() const override { return nullptr; }
    const std::vector<std::string>& keys() const override {
        static const std::vector<std::string> none;
        return none;
    }
    const Json* key_default(std::string_view) const override { return nullptr; }
};

}  // namespace

const TypeNode& deduced_type() {
    static const Deduced type;
    return type;
}

}  // namespace ocim::api
