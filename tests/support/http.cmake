# An HTTP client for tests, and what comes between it and a server.
add_library(kubecni_test_http STATIC
  ${CMAKE_CURRENT_LIST_DIR}/http.cpp
  ${CMAKE_CURRENT_LIST_DIR}/relay.cpp)
# Tests that only need the client do not link the relay's libraries.
set_target_properties(kubecni_test_http PROPERTIES UNITY_BUILD OFF)
target_include_directories(kubecni_test_http PUBLIC ${CMAKE_CURRENT_LIST_DIR}/..)
target_link_libraries(kubecni_test_http
  PUBLIC kubecni_base Threads::Threads
  PRIVATE kubecni_httplib)
