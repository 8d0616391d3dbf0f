# kube-cni and kube-cnid with another schema of the maps (KUBECNI_OTHER_SCHEMA in
# include/kubecni/abi.h), in bin/other-schema: tests upgrade a node to it and back. Libraries that
# depend on the maps' layout are compiled once more. Other libraries must not link them.
set(libraries kubecni_dataplane kubecni_doctor kubecni_pods kubecni_metrics kubecni_cni
  kubecni_control kubecni_daemon)
set(of_maps ${libraries} kubecni_bpf_dataplane kubecni_bpf_dataplane_no_conntrack)

foreach(library ${libraries})
  get_target_property(sources ${library} SOURCES)
  get_target_property(folder ${library} SOURCE_DIR)
  get_target_property(includes ${library} INCLUDE_DIRECTORIES)
  get_target_property(links ${library} LINK_LIBRARIES)
  list(TRANSFORM sources PREPEND ${folder}/)
  foreach(name ${of_maps})
    list(TRANSFORM links APPEND _other_schema REGEX "^${name}$")
  endforeach()
  add_library(${library}_other_schema STATIC ${sources})
  target_compile_definitions(${library}_other_schema PUBLIC KUBECNI_OTHER_SCHEMA)
  target_link_libraries(${library}_other_schema PUBLIC ${links})
  if(includes)
    target_include_directories(${library}_other_schema PUBLIC ${includes})
  endif()
endforeach()

function(kubecni_add_other_schema name source library)
  add_executable(${name}_other_schema ${source})
  target_link_libraries(${name}_other_schema PRIVATE ${library}_other_schema)
  set_target_properties(${name}_other_schema PROPERTIES
    OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/other-schema)
endfunction()
kubecni_add_other_schema(kube-cni ${PROJECT_SOURCE_DIR}/cni/main.cpp kubecni_cni)
kubecni_add_other_schema(kube-cnid ${PROJECT_SOURCE_DIR}/userspace/daemon/main.cpp kubecni_daemon)
