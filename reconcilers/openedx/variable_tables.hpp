#pragma once

#include "openedx/variables.hpp"

#include <initializer_list>
#include <span>
#include <string_view>

/// The tables that the variables of a site are made of, before the extra ones.
namespace ocim::openedx {

class VariableSink {
public:
    void set(std::string_view name, api::Json value) { made_.values[name] = std::move(value); }
    /// Text of a person or a secret: it reaches the far end as it is.
    void set_literal(std::string_view name, const std::string& value) {
        set(name, api::Json(value));
        made_.literal.emplace_back(name);
    }
    void set_each(std::initializer_list<std::string_view> names, const api::Json& value) {
        for (const auto name : names) set(name, value);
    }
    void set_each_literal(std::initializer_list<std::string_view> names, const std::string& value) {
        for (const auto name : names) set_literal(name, value);
    }
    Variables take() && { return std::move(made_); }

private:
    Variables made_;
};

struct VariableTable {
    const char* name;
    void (*fill)(VariableSink& out, const Site& site, const MasterKey& key);
};

/// In the order in which they are filled: the secrets last, because one of them stands in for a placeholder.
std::span<const VariableTable> variable_tables();

void add_mysql(VariableSink& out, const Site& site, const MasterKey& key);
void add_mongodb(VariableSink& out, const Site& site, const MasterKey& key);
void add_rabbitmq(VariableSink& out, const Site& site, const MasterKey& key);
void add_storage(VariableSink& out, const Site& site, const MasterKey& key);

}  // namespace ocim::openedx
