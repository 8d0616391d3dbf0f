# A client of the Container Runtime Interface, over Debian's gRPC.
find_package(gRPC CONFIG REQUIRED)

set(cri_proto ${CMAKE_CURRENT_LIST_DIR}/cri.proto)
set(cri_folder ${CMAKE_CURRENT_BINARY_DIR}/cri_proto)
set(cri_generated)
foreach(end pb.cc pb.h grpc.pb.cc grpc.pb.h)
  list(APPEND cri_generated ${cri_folder}/cri.${end})
endforeach()
file(MAKE_DIRECTORY ${cri_folder})
add_custom_command(
  OUTPUT ${cri_generated}
  COMMAND protobuf::protoc --proto_path=${CMAKE_CURRENT_LIST_DIR} --cpp_out=${cri_folder}
    --grpc_out=${cri_folder} --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>
    ${cri_proto}
  DEPENDS ${cri_proto}
  VERBATIM)

# Apart from the rest, and without our flags: it is not our code.
add_library(kubecni_test_cri_proto STATIC ${cri_generated})
set_target_properties(kubecni_test_cri_proto PROPERTIES UNITY_BUILD OFF)
target_include_directories(kubecni_test_cri_proto SYSTEM PUBLIC ${cri_folder})
target_link_libraries(kubecni_test_cri_proto PUBLIC gRPC::grpc++_unsecure)

add_library(kubecni_test_cri STATIC ${CMAKE_CURRENT_LIST_DIR}/cri_client.cpp)
target_include_directories(kubecni_test_cri PUBLIC ${CMAKE_CURRENT_LIST_DIR}/..)
target_link_libraries(kubecni_test_cri
  PUBLIC kubecni_base kubecni_flags
  PRIVATE kubecni_test_cri_proto)
