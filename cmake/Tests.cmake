# What may take long starts first, so that nothing is waited for alone at the end: a test's COST is its time-out.
include(GoogleTest)

# A test at its full scale, which is not for every day.
function(ocim_full_scale NAME LABELS)
  set_tests_properties(${NAME} PROPERTIES ENVIRONMENT "OCIM_SCALE=full" TIMEOUT 21600 LABELS "${LABELS};long")
endfunction()

# ocim_test(NAME LEVEL unit|integration|simulation AREA area SOURCES file... ROOMS room... [WHOLE] [SCALED filter]
#   [TIMEOUT s] [UNDER program arg...])
# One GoogleTest program; each of its tests is one CTest test with the labels of its level and area. WHOLE: all of
# them are one CTest test, because they share a server that takes long to start; with UNDER another program starts that
# server and then this one. SCALED: what the filter selects has a small figure, and is one more CTest test NAME_full,
# labelled long, at its full one.
function(ocim_test NAME)
  cmake_parse_arguments(T "WHOLE" "LEVEL;AREA;TIMEOUT;SCALED" "SOURCES;ROOMS;LIBRARIES;UNDER" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  add_executable(${NAME} ${T_SOURCES})
  target_link_libraries(${NAME} PRIVATE ocim_flags GTest::gmock GTest::gtest GTest::gtest_main ocim_test_support
    ${T_LIBRARIES})
  # GoogleTest's macros hold an else of their own, which GCC sees in `if (x) EXPECT_EQ(...)`
  target_compile_options(${NAME} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-dangling-else>)
  foreach(room IN LISTS T_ROOMS)
    target_link_libraries(${NAME} PRIVATE ocim_${room})
  endforeach()
  target_compile_definitions(${NAME} PRIVATE OCIM_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             OCIM_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set(labels ${T_LEVEL} ${T_AREA})
  if(T_SCALED)
    add_test(NAME ${T_AREA}.${NAME}_full COMMAND ${NAME} "--gtest_filter=${T_SCALED}")
    ocim_full_scale(${T_AREA}.${NAME}_full "${labels}")
  endif()
  set(properties TIMEOUT ${T_TIMEOUT} COST ${T_TIMEOUT})
  if(T_WHOLE)
    add_test(NAME ${T_AREA}.${NAME} COMMAND ${T_UNDER} $<TARGET_FILE:${NAME}>)
    set_tests_properties(${T_AREA}.${NAME} PROPERTIES ${properties} LABELS "${labels}")
    return()
  endif()
  gtest_discover_tests(${NAME} TEST_PREFIX "${T_AREA}." TEST_LIST ${NAME}_tests DISCOVERY_TIMEOUT 60
    PROPERTIES ${properties})
  # a list among PROPERTIES would come apart: the labels are set where the tests were listed
  set(script "${CMAKE_CURRENT_BINARY_DIR}/${NAME}_labels.cmake")
  file(WRITE "${script}" "if(${NAME}_tests)
  set_tests_properties(\${${NAME}_tests} PROPERTIES LABELS \"${labels}\")
endif()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${script}")
endfunction()

# ocim_script_test(NAME LEVEL level AREA area COMMAND program arg... [TIMEOUT s] [SCALED])
# One CTest test that is a script; it passes when the script exits 0. SCALED as above.
function(ocim_script_test NAME)
  cmake_parse_arguments(T "SCALED" "LEVEL;AREA;TIMEOUT" "COMMAND" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  add_test(NAME ${T_AREA}.${NAME} COMMAND ${T_COMMAND} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set(labels ${T_LEVEL} ${T_AREA})
  if(T_SCALED)
    add_test(NAME ${T_AREA}.${NAME}_full COMMAND ${T_COMMAND} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    ocim_full_scale(${T_AREA}.${NAME}_full "${labels}")
    set_property(TEST ${T_AREA}.${NAME}_full APPEND PROPERTY ENVIRONMENT "OCIM=${CMAKE_BINARY_DIR}/ocim")
    set_tests_properties(${T_AREA}.${NAME}_full PROPERTIES RUN_SERIAL TRUE)
  endif()
  set_tests_properties(${T_AREA}.${NAME} PROPERTIES TIMEOUT ${T_TIMEOUT} COST ${T_TIMEOUT} LABELS "${labels}"
    ENVIRONMENT "OCIM=${CMAKE_BINARY_DIR}/ocim")
endfunction()
