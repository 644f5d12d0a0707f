# A room is one static library. What it links is its row of the table in tests/architecture.py: a
# header of a room that is not linked is not on the include path, so it does not compile.

# What every target of ours is built with.
add_library(ocim_flags INTERFACE)
target_compile_options(ocim_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wswitch-enum -Werror
  # GCC 12 takes the frames of Asio's coroutines for memory of the wrong allocation function, and strings that it has
  # made short for memory that was never written
  $<$<CXX_COMPILER_ID:GNU>:-fcoroutines> $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
# assert() guards our own invariants, in release too.
target_compile_options(ocim_flags INTERFACE -UNDEBUG)
target_link_libraries(ocim_flags INTERFACE Boost::headers Threads::Threads)
# No BOOST_ASIO_* definition here: cpprestsdk cannot be built with it, and Asio's inline functions must be the
# same in every object of the program.
if(OCIM_SANITIZE MATCHES "thread")
  # Asio's atomic_thread_fence is not understood by the thread sanitizer, which GCC says by a warning.
  target_compile_options(ocim_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld-19 -Wl,-z,pack-relative-relocs)
endif()

# ocim_room(NAME [ROOMS room...] [PRIVATE_ROOMS room...] [LIBRARIES lib...] [PRIVATE_LIBRARIES lib...])
# The sources are the folder's own. A room's headers are reached as "NAME/file.hpp" through a folder of
# its own in the build tree, which holds one link: no room sees its neighbours by accident.
function(ocim_room NAME)
  cmake_parse_arguments(R "" "" "ROOMS;PRIVATE_ROOMS;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${NAME}/*.cpp")
  set(door "${CMAKE_BINARY_DIR}/doors/${NAME}")
  file(MAKE_DIRECTORY "${door}")
  file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}/${NAME}" "${door}/${NAME}" SYMBOLIC)
  if(sources)
    add_library(ocim_${NAME} STATIC ${sources})
    set(public PUBLIC)
    target_link_libraries(ocim_${NAME} PRIVATE ocim_flags)
  else()
    add_library(ocim_${NAME} INTERFACE)
    set(public INTERFACE)
  endif()
  target_include_directories(ocim_${NAME} ${public} "${door}")
  foreach(room IN LISTS R_ROOMS)
    target_link_libraries(ocim_${NAME} ${public} ocim_${room})
  endforeach()
  target_link_libraries(ocim_${NAME} ${public} ${R_LIBRARIES})
  if(sources)
    foreach(room IN LISTS R_PRIVATE_ROOMS)
      target_link_libraries(ocim_${NAME} PRIVATE ocim_${room})
    endforeach()
    target_link_libraries(ocim_${NAME} PRIVATE ${R_PRIVATE_LIBRARIES})
  endif()
endfunction()
