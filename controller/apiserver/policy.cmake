# The roles that every installation has, as bytes in the apiserver room.
set(policies "${CMAKE_CURRENT_LIST_DIR}/policy/kubernetes.yaml" "${CMAKE_SOURCE_DIR}/manifests/samples/roles.yaml")
set(policy_source "${CMAKE_BINARY_DIR}/gen/policies.cpp")
add_custom_command(OUTPUT "${policy_source}"
  COMMAND /usr/bin/python3 "${CMAKE_SOURCE_DIR}/crd-schemas/generate.py" embed ocim::apiserver::policies
          "${policy_source}" apiserver/policy.hpp ${policies}
  DEPENDS ${policies} "${CMAKE_SOURCE_DIR}/crd-schemas/generate.py" VERBATIM)
target_sources(ocim_apiserver PRIVATE "${policy_source}")
