#include "base/result.hpp"

namespace ocim {

std::string_view name_of(ErrorClass error_class) {
    switch (error_class) {
        case ErrorClass::transient: return "transient";
        case ErrorClass::rate_limited: return "rate_limited";
        case ErrorClass::conflict: return "conflict";
        case ErrorClass::not_found: return "not_found";
        case ErrorClass::auth: return "auth";
        case ErrorClass::unreachable: return "unreachable";
        case ErrorClass::invalid: return "invalid";
    }
    return "transient";
}

}  // namespace ocim
