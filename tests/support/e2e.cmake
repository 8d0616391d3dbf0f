# Nodes, pods and traffic for tests that run the built programs for real.
add_library(kubecni_test_e2e_support STATIC
  ${CMAKE_CURRENT_LIST_DIR}/broken_offload_wire.cpp
  ${CMAKE_CURRENT_LIST_DIR}/capture.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cni_list.cpp
  ${CMAKE_CURRENT_LIST_DIR}/node.cpp
  ${CMAKE_CURRENT_LIST_DIR}/node_state.cpp
  ${CMAKE_CURRENT_LIST_DIR}/pod.cpp
  ${CMAKE_CURRENT_LIST_DIR}/process.cpp
  ${CMAKE_CURRENT_LIST_DIR}/program.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sandbox.cpp
  ${CMAKE_CURRENT_LIST_DIR}/socket.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tcp.cpp
  ${CMAKE_CURRENT_LIST_DIR}/traffic.cpp
  ${CMAKE_CURRENT_LIST_DIR}/udp.cpp
  ${CMAKE_CURRENT_LIST_DIR}/underlay.cpp
  ${CMAKE_CURRENT_LIST_DIR}/wire.cpp)
# It makes and compares megabytes.
target_compile_options(kubecni_test_e2e_support PRIVATE -O1)
target_include_directories(kubecni_test_e2e_support PUBLIC ${CMAKE_CURRENT_LIST_DIR}/..)
target_compile_definitions(kubecni_test_e2e_support PRIVATE
  KUBECNI_BUILT="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
target_link_libraries(kubecni_test_e2e_support
  PUBLIC kubecni_dataplane kubecni_ipam kubecni_net kubecni_base Threads::Threads
  PRIVATE kubecni_sandbox)
