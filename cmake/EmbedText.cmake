# ocim_embed_text(TARGET FILE HEADER NAMESPACE NAME): makes HEADER, which holds FILE's text as a constant.
function(ocim_embed_text TARGET FILE HEADER NAMESPACE NAME)
  file(READ "${FILE}" OCIM_TEXT)
  set(OCIM_NAMESPACE "${NAMESPACE}")
  set(OCIM_NAME "${NAME}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${FILE}")
  configure_file("${CMAKE_SOURCE_DIR}/cmake/EmbedText.hpp.in" "${CMAKE_BINARY_DIR}/gen/${HEADER}" @ONLY)
  target_include_directories(${TARGET} PRIVATE "${CMAKE_BINARY_DIR}/gen")
endfunction()
