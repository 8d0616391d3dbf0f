# The libraries, all Debian 12 packages.
find_package(nlohmann_json 3.11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(CURL REQUIRED)
find_package(Threads REQUIRED)

# The plugin is one static executable, so it uses the archives. The other programs use them, too:
# one build of each library is enough.
find_library(KUBECNI_LIBBPF libbpf.a REQUIRED)
find_library(KUBECNI_LIBELF libelf.a REQUIRED)
find_library(KUBECNI_LIBZ libz.a REQUIRED)
find_library(KUBECNI_LIBNL libnl-3.a REQUIRED)
find_path(KUBECNI_LIBNL_INCLUDE netlink/netlink.h PATH_SUFFIXES libnl3 REQUIRED)

# Only for the daemon, and shared: Debian has no archive of it.
find_library(KUBECNI_LIBNFTABLES nftables REQUIRED)
find_path(KUBECNI_LIBNFTABLES_INCLUDE nftables/libnftables.h REQUIRED)

# Likewise: the format of the metrics, and the HTTP server for them.
find_package(prometheus-cpp REQUIRED)
find_library(KUBECNI_LIBMICROHTTPD libmicrohttpd.so REQUIRED)

add_library(kubecni_libbpf INTERFACE)
target_link_libraries(kubecni_libbpf INTERFACE
  ${KUBECNI_LIBBPF} ${KUBECNI_LIBELF} ${KUBECNI_LIBZ})

add_library(kubecni_libnl INTERFACE)
target_include_directories(kubecni_libnl SYSTEM INTERFACE ${KUBECNI_LIBNL_INCLUDE})
target_link_libraries(kubecni_libnl INTERFACE ${KUBECNI_LIBNL} Threads::Threads)

add_library(kubecni_libnftables INTERFACE)
target_include_directories(kubecni_libnftables SYSTEM INTERFACE ${KUBECNI_LIBNFTABLES_INCLUDE})
target_link_libraries(kubecni_libnftables INTERFACE ${KUBECNI_LIBNFTABLES})

add_library(kubecni_libmicrohttpd INTERFACE)
target_link_libraries(kubecni_libmicrohttpd INTERFACE ${KUBECNI_LIBMICROHTTPD} Threads::Threads)
