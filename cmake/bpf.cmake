# Kernel programs: compiles each bpf/NAME.bpf.c by itself, links all of them into one object, so
# that they share one set of maps, and lets bpftool turn that object into a skeleton header. The
# same sources may be built into several objects, with other DEFINES. A SUFFIX of the target's name
# means a skeleton of the same name in another folder.
find_program(KUBECNI_BPF_CLANG NAMES clang-19 REQUIRED)
find_program(KUBECNI_BPFTOOL NAMES bpftool PATHS /usr/sbin REQUIRED)

function(kubecni_add_bpf_object name)
  cmake_parse_arguments(arg "" "SUFFIX" "SOURCES;DEFINES" ${ARGN})
  set(target ${name}${arg_SUFFIX})
  set(include ${CMAKE_CURRENT_BINARY_DIR}/include${arg_SUFFIX})
  list(TRANSFORM arg_DEFINES PREPEND -D)
  set(objects)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${target})
  foreach(source ${arg_SOURCES})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${target}/${source}.o)
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
  set(linked ${CMAKE_CURRENT_BINARY_DIR}/${target}.bpf.o)
  set(skeleton ${include}/${name}.skel.h)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${KUBECNI_BPFTOOL} gen object ${linked} ${objects}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${include}
    COMMAND ${KUBECNI_BPFTOOL} gen skeleton ${linked} name ${name} > ${skeleton}
    DEPENDS ${objects}
    VERBATIM)
  add_custom_target(${target}_skeleton DEPENDS ${skeleton})
  add_library(kubecni_bpf_${target} INTERFACE)
  add_dependencies(kubecni_bpf_${target} ${target}_skeleton)
  target_include_directories(kubecni_bpf_${target} SYSTEM INTERFACE ${include})
endfunction()
