# The built-in kinds of builtin/*.yaml, as bytes in the schema room.
file(GLOB builtins CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/builtin/*.yaml")
set(generator "${CMAKE_SOURCE_DIR}/crd-schemas/generate.py")
set(builtin_source "${CMAKE_BINARY_DIR}/gen/builtin_schemas.cpp")
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/gen")
add_custom_command(OUTPUT "${builtin_source}"
  COMMAND /usr/bin/python3 "${generator}" embed ocim::schema::builtin_schemas "${builtin_source}" schema/builtin.hpp
          ${builtins}
  DEPENDS ${builtins} "${generator}" VERBATIM)
target_sources(ocim_schema PRIVATE "${builtin_source}")
