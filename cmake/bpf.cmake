# Kernel programs: each bpf/NAME.bpf.c is compiled by itself, then all of them
# are linked into one object, so that they share one set of maps, and bpftool
# turns that object into a skeleton header. The same sources may be built into
# several objects, with other DEFINES.
find_program(KUBECNI_BPF_CLANG NAMES clang-19 REQUIRED)
find_program(KUBECNI_BPFTOOL NAMES bpftool PATHS /usr/sbin REQUIRED)

function(kubecni_add_bpf_object name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEFINES" ${ARGN})
  list(TRANSFORM arg_DEFINES PREPEND -D)
  set(objects)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${name})
  foreach(source ${arg_SOURCES})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}/${source}.o)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${KUBECNI_BPF_CLANG} -target bpf -mcpu=v3 -g -O2 -Wall -Wextra -Wshadow -Werror
        ${arg_DEFINES} -I${PROJECT_SOURCE_DIR}/include -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
        -MD -MF ${object}.d -MT ${object}
        -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${source}
      DEPFILE ${object}.d
      VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(linked ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/include/${name}.skel.h)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${KUBECNI_BPFTOOL} gen object ${linked} ${objects}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/include
    COMMAND ${KUBECNI_BPFTOOL} gen skeleton ${linked} name ${name} > ${skeleton}
    DEPENDS ${objects}
    VERBATIM)
  add_custom_target(${name}_skeleton DEPENDS ${skeleton})
  add_library(kubecni_bpf_${name} INTERFACE)
  add_dependencies(kubecni_bpf_${name} ${name}_skeleton)
  target_include_directories(kubecni_bpf_${name} SYSTEM INTERFACE
    ${CMAKE_CURRENT_BINARY_DIR}/include)
endfunction()
