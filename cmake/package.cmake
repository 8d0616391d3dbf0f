# The Debian package `kube-cni`: for nodes that Kubernetes does not set up with the DaemonSet.
#   cpack --config build/CPackConfig.cmake -B build/package
# cnicheck is a tool for developers, and is not included.
set(KUBECNI_PACKAGE_MAINTAINER "kube-cni maintainers <maintainers@kube-cni.invalid>"
  CACHE STRING "Whom to write to about the Debian package")

install(FILES deploy/kube-cnid.service DESTINATION lib/systemd/system COMPONENT node)
install(FILES README.md CHANGELOG.md DESTINATION share/doc/kube-cni COMPONENT node)
install(DIRECTORY docs DESTINATION share/doc/kube-cni COMPONENT node)

# Files that `cmake --install` does not install: above all an operator's settings.
install(FILES deploy/config.json DESTINATION /etc/kube-cni COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES deploy/debian/copyright DESTINATION share/doc/kube-cni
  COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES deploy/debian/lintian-overrides DESTINATION share/lintian/overrides
  RENAME kube-cni COMPONENT debian EXCLUDE_FROM_ALL)
set(changelog ${PROJECT_BINARY_DIR}/changelog)
configure_file(deploy/debian/changelog.in ${changelog} @ONLY)
install(CODE "execute_process(COMMAND gzip -9nc ${changelog} OUTPUT_FILE ${changelog}.gz
  COMMAND_ERROR_IS_FATAL ANY)" COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${changelog}.gz DESTINATION share/doc/kube-cni COMPONENT debian EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL node debian)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_NAME kube-cni)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS bird2)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${KUBECNI_PACKAGE_MAINTAINER})
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Kubernetes network plugin with an eBPF dataplane
Pods reach pods by eBPF programs on their veths, on one node and between
nodes, directly or by VXLAN. An ordinary bridge with ordinary routes carries
everything that the programs leave to it.
.
This package has the plugin for the container runtime, the node daemon as a
service, and the operator's tool. The service is not enabled: before that,
/etc/kube-cni/config.json has to say where the nodes come from.")
foreach(script conffiles postinst postrm prerm)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/deploy/debian/${script})
endforeach()
include(CPack)
