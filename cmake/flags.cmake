# One interface target carries the compile options of all our C++ targets.
add_library(kubecni_flags INTERFACE)
target_compile_options(kubecni_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Werror
  # g++ 12 sees overlaps in std::string's own operator+ (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # clang's -Wshadow and -Wconversion cover more than g++'s, which check the other build; and
  # libstdc++ 12 uses a deprecated function of its own in std::stable_partition().
  "$<$<CXX_COMPILER_ID:Clang>:-Wno-shadow;-Wno-sign-conversion;-Wno-deprecated-declarations>"
  # A designated initializer sets the named members; the rest is zero on purpose.
  -Wno-missing-field-initializers)
target_compile_definitions(kubecni_flags INTERFACE _GNU_SOURCE
  KUBECNI_VERSION="${PROJECT_VERSION}")
target_include_directories(kubecni_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/userspace)
if(KUBECNI_SANITIZE)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "KUBECNI_SANITIZE needs clang, for libFuzzer: cmake --preset asan")
  endif()
  # Casting 1e300 to an integer is undefined too, but not part of "undefined".
  set(checks address,undefined,float-cast-overflow)
  target_compile_options(kubecni_flags INTERFACE
    # Compiling with -O1 takes three times as long, and the tests mostly wait.
    -fsanitize=${checks} -fno-sanitize-recover=all -fno-omit-frame-pointer -O0 -g1)
  # Coverage for libFuzzer, in the fuzzed code.
  set(KUBECNI_COVERAGE -fsanitize=fuzzer-no-link)
  target_compile_definitions(kubecni_flags INTERFACE _GLIBCXX_ASSERTIONS)
  target_link_options(kubecni_flags INTERFACE -fsanitize=${checks})
endif()
