# A Kubernetes API server for tests: as much of it as nodes need; and an HTTP client. Debian's
# cpp-httplib has no CMake package; its .pc file names this definition.
find_library(KUBECNI_HTTPLIB cpp-httplib REQUIRED)
find_package(OpenSSL REQUIRED)

set(KUBECNI_HTTPLIB_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/api_server.cpp
  ${CMAKE_CURRENT_LIST_DIR}/api_server_nodes.cpp
  ${CMAKE_CURRENT_LIST_DIR}/api_server_objects.cpp
  ${CMAKE_CURRENT_LIST_DIR}/http.cpp)
add_library(kubecni_test_api_server STATIC
  ${KUBECNI_HTTPLIB_SOURCES}
  ${CMAKE_CURRENT_LIST_DIR}/certificate.cpp
  ${CMAKE_CURRENT_LIST_DIR}/make_node.cpp
  ${CMAKE_CURRENT_LIST_DIR}/relay.cpp)
target_include_directories(kubecni_test_api_server PUBLIC ${CMAKE_CURRENT_LIST_DIR}/..)
set_source_files_properties(${KUBECNI_HTTPLIB_SOURCES} PROPERTIES
  COMPILE_DEFINITIONS CPPHTTPLIB_OPENSSL_SUPPORT)
target_link_libraries(kubecni_test_api_server
  PUBLIC kubecni_base Threads::Threads
  PRIVATE ${KUBECNI_HTTPLIB} OpenSSL::SSL)
