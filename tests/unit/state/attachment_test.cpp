#include "state/attachment.hpp"

#include "base/file.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <cerrno>
#include <set>
#include <string>

namespace kubecni::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Attachment attachment(const std::string& network, const std::string& container_id,
                      const std::string& ifname = "eth0") {
  return {
      .network = network,
      .container_id = container_id,
      .netns = "/run/netns/pod",
      .pod = "shop/web",
      .pod_uid = "u1",
      .port = {.bridge = "cni0",
               .uplink = "eth0.100",
               .host_ifname = host_ifname_for(network, container_id, ifname),
               .host_mac = MacAddr::parse("0a:58:0a:c8:00:aa").value(),
               .pod_ifname = ifname,
               .pod_mac = MacAddr::parse("0a:58:0a:c8:00:02").value(),
               .addresses = {{IpNet::parse("10.200.0.2/24").value(),
                              IpAddr::parse("10.200.0.1").value()},
                             {IpNet::parse("2001:db8::2/64").value(), std::nullopt}},
               .routes = {{IpNet::parse("0.0.0.0/0").value(), IpAddr::parse("10.200.0.1").value()}},
               .owns_gateways = false,
               .mtu = 1450},
      .mappings = {{.protocol = PortProtocol::kUdp,
                    .host_port = 53,
                    .pod_port = 5353,
                    .host_ip = IpAddr::parse("192.0.2.1").value()},
                   {.protocol = PortProtocol::kTcp, .host_port = 8080, .pod_port = 80}},
      .bandwidth = {.ingress = RateLimit{.rate = 10'000'000, .burst = 80'000},
                    .egress = RateLimit{.rate = 1'000'000'000'000}},
      .shaped = true,
      .ebpf = true,
      .hooks = AttachKind::kClsact,
      .fallback_reason = "why not"};
}

class AttachmentStoreTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return dir_ / "attachments" / name;
  }
  void write(const std::string& name, const std::string& content) const {
    ASSERT_TRUE(ensure_directory(file(name).parent_path()));
    ASSERT_TRUE(write_file_atomically(file(name), content));
  }
  /// The container ids of the listing.
  [[nodiscard]] static std::vector<std::string> ids(const AttachmentStore::Listing& listing) {
    std::vector<std::string> found;
    for (const auto& each : listing.attachments) found.push_back(each.container_id);
    return found;
  }

  TempDir dir_;
  AttachmentStore store_{dir_.path()};
};

TEST(PodPort, IsRoutedByItsHostEndWithoutABridge) {
  PodPort port = attachment("net", "abc").port;
  EXPECT_FALSE(port.is_routed());
  EXPECT_EQ(port.gateway_device(), "cni0");

  port.bridge = "";
  port.owns_gateways = true;

  EXPECT_TRUE(port.is_routed());
  EXPECT_THAT(port.gateway_addresses(), ElementsAre(IpNet::parse("10.200.0.1/32").value()));
  EXPECT_EQ(port.gateway_device(), port.host_ifname);
}

TEST(HostIfname, IsKnownAgain) {
  EXPECT_TRUE(is_host_ifname(host_ifname_for("net", "abc", "eth0")));
  for (const char* other :
       {"veth", "veth0123456", "vethABCDEF01234", "eth0123456789ab", "kcni.probe"})
    EXPECT_FALSE(is_host_ifname(other)) << other;
}

TEST_F(AttachmentStoreTest, FindsWhatWasSaved) {
  const Attachment saved = attachment("net", "abc", "net1");

  ASSERT_TRUE(store_.save(saved));
  const auto found = store_.find("net", "abc", "net1");

  ASSERT_TRUE(found && *found);
  const Attachment& read = **found;
  EXPECT_EQ(read.network, saved.network);
  EXPECT_EQ(read.container_id, saved.container_id);
  EXPECT_EQ(read.pod_uid, saved.pod_uid);
  EXPECT_EQ(read.netns, saved.netns);
  EXPECT_EQ(read.pod, saved.pod);
  EXPECT_EQ(read.port.bridge, saved.port.bridge);
  EXPECT_EQ(read.port.uplink, saved.port.uplink);
  EXPECT_EQ(read.port.host_ifname, saved.port.host_ifname);
  EXPECT_EQ(read.port.host_mac, saved.port.host_mac);
  EXPECT_EQ(read.port.pod_ifname, saved.port.pod_ifname);
  EXPECT_EQ(read.port.pod_mac, saved.port.pod_mac);
  EXPECT_EQ(read.port.addresses, saved.port.addresses);
  EXPECT_EQ(read.port.routes, saved.port.routes);
  EXPECT_EQ(read.port.owns_gateways, saved.port.owns_gateways);
  EXPECT_EQ(read.mappings, saved.mappings);
  EXPECT_EQ(read.bandwidth, saved.bandwidth);
  EXPECT_EQ(read.shaped, saved.shaped);
  EXPECT_EQ(read.hooks, saved.hooks);
  EXPECT_EQ(read.port.mtu, saved.port.mtu);
  EXPECT_EQ(read.ebpf, saved.ebpf);
  EXPECT_EQ(read.fallback_reason, saved.fallback_reason);
}

TEST_F(AttachmentStoreTest, FindsTheLastThatWasSaved) {
  Attachment changed = attachment("net", "abc");
  ASSERT_TRUE(store_.save(changed));
  changed.ebpf = false;

  ASSERT_TRUE(store_.save(changed));

  EXPECT_FALSE(store_.find("net", "abc", "eth0").value().value().ebpf);
  EXPECT_THAT(store_.list().value().attachments, SizeIs(1));
}

TEST_F(AttachmentStoreTest, FindsNothingOfAnotherKey) {
  ASSERT_TRUE(store_.save(attachment("net", "abc")));

  EXPECT_EQ(store_.find("net", "abd", "eth0").value().has_value(), false);
  EXPECT_EQ(store_.find("net", "abc", "net1").value().has_value(), false);
  EXPECT_EQ(store_.find("other", "abc", "eth0").value().has_value(), false);
}

TEST_F(AttachmentStoreTest, InvalidUtf8StaysReadable) {
  Attachment odd = attachment("net", "abc");
  odd.netns = "/run/\xff";

  ASSERT_TRUE(store_.save(odd));

  EXPECT_THAT(store_.find("net", "abc", "eth0").value().value().netns, HasSubstr("/run/"));
}

TEST_F(AttachmentStoreTest, KeepsItsRecordsFromOtherUsers) {
  ASSERT_TRUE(store_.save(attachment("net", "abc")));

  struct stat status{};
  ASSERT_EQ(::stat(file("net/abc:eth0").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST_F(AttachmentStoreTest, SaysWhatItCouldNotWrite) {
  ASSERT_TRUE(write_file_atomically(dir_ / "attachments", "in the way"));

  const auto saved = store_.save(attachment("net", "abc"));

  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ENOTDIR);
  EXPECT_THAT(saved.error().what, HasSubstr((dir_ / "attachments").string()));
}

class DamagedAttachment : public AttachmentStoreTest,
                          public testing::WithParamInterface<std::string> {};

TEST_P(DamagedAttachment, IsReportedWithItsPath) {
  write("net/abc:eth0", GetParam());

  const auto found = store_.find("net", "abc", "eth0");

  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, EBADMSG);
  EXPECT_THAT(found.error().what, HasSubstr(file("net/abc:eth0").string()));
}

INSTANTIATE_TEST_SUITE_P(Damaged, DamagedAttachment,
                         testing::Values("", "{", "{}", "[]", "null", R"({"network": "net"})",
                                         std::string("\0\0\0", 3)));

TEST_F(AttachmentStoreTest, ReadsRecordsFromBeforeThereWereHostPorts) {
  ASSERT_TRUE(store_.save(attachment("net", "abc")));
  auto record = nlohmann::json::parse(read_file(file("net/abc:eth0")).value());
  ASSERT_EQ(record.erase("portMappings"), 1u);
  write("net/abc:eth0", record.dump());

  const auto found = store_.find("net", "abc", "eth0");

  ASSERT_TRUE(found && *found);
  EXPECT_THAT((*found)->mappings, IsEmpty());
  EXPECT_EQ((*found)->pod_text(), "pod shop/web");
}

TEST_F(AttachmentStoreTest, ReadsRecordsFromBeforeThereWereLimits) {
  ASSERT_TRUE(store_.save(attachment("net", "abc")));
  auto record = nlohmann::json::parse(read_file(file("net/abc:eth0")).value());
  ASSERT_EQ(record.erase("bandwidth"), 1u);
  write("net/abc:eth0", record.dump());

  const auto found = store_.find("net", "abc", "eth0");

  ASSERT_TRUE(found && *found);
  EXPECT_TRUE((*found)->bandwidth.empty());
  EXPECT_TRUE((*found)->is_shaped_by_others());
}

TEST_F(AttachmentStoreTest, ReportsALimitThatIsNone) {
  ASSERT_TRUE(store_.save(attachment("net", "abc")));
  auto record = nlohmann::json::parse(read_file(file("net/abc:eth0")).value());
  record["bandwidth"]["egressRate"] = -1;
  write("net/abc:eth0", record.dump());

  const auto found = store_.find("net", "abc", "eth0");

  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, EBADMSG);
}

TEST_F(AttachmentStoreTest, ReportsAHostPortThatIsNone) {
  ASSERT_TRUE(store_.save(attachment("net", "abc")));
  const auto record = nlohmann::json::parse(read_file(file("net/abc:eth0")).value());
  for (const auto& [key, value] : {std::pair<const char*, nlohmann::json>{"hostPort", 0},
                                   {"containerPort", 65536},
                                   {"protocol", "icmp"},
                                   {"hostIP", "node"}}) {
    auto damaged = record;
    damaged["portMappings"][0][key] = value;
    write("net/abc:eth0", damaged.dump());

    const auto found = store_.find("net", "abc", "eth0");

    ASSERT_FALSE(found) << key;
    EXPECT_EQ(found.error().code, EBADMSG) << key;
  }
}

TEST_F(AttachmentStoreTest, ReportsANumberThatDoesNotFit) {
  ASSERT_TRUE(store_.save(attachment("net", "abc")));
  auto record = nlohmann::json::parse(read_file(file("net/abc:eth0")).value());
  record["mtu"] = 1e300;
  write("net/abc:eth0", record.dump());

  const auto found = store_.find("net", "abc", "eth0");

  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, EBADMSG);
  EXPECT_THAT(found.error().what, HasSubstr("mtu"));
}

TEST_F(AttachmentStoreTest, ReportsARecordThatWasCutOffAtAnyByte) {
  ASSERT_TRUE(store_.save(attachment("net", "abc")));
  const std::string whole = read_file(file("net/abc:eth0")).value();
  const std::size_t last_brace = whole.rfind('}');

  for (std::size_t length = 0; length <= last_brace; ++length) {
    write("net/abc:eth0", whole.substr(0, length));
    const auto found = store_.find("net", "abc", "eth0");

    ASSERT_FALSE(found) << length;
    ASSERT_EQ(found.error().code, EBADMSG) << length;
  }
}

TEST_F(AttachmentStoreTest, ReportsARecordWithAnyKeyOfTheWrongType) {
  ASSERT_TRUE(store_.save(attachment("net", "abc")));
  const std::string whole = read_file(file("net/abc:eth0")).value();
  std::size_t keys = 0;

  for (auto colon = whole.find("\": "); colon != std::string::npos;
       colon = whole.find("\": ", colon + 1), ++keys) {
    const auto end = whole.find_first_of(",\n", colon);
    std::string changed = whole;
    write("net/abc:eth0", changed.replace(colon + 3, end - colon - 3, "[]"));

    const auto found = store_.find("net", "abc", "eth0");

    ASSERT_FALSE(found) << changed;
    EXPECT_EQ(found.error().code, EBADMSG) << changed;
  }

  EXPECT_EQ(keys, 40u);
}

TEST_F(AttachmentStoreTest, ListsThoseOfEveryNetwork) {
  ASSERT_TRUE(store_.save(attachment("blue", "a")));
  ASSERT_TRUE(store_.save(attachment("red", "b")));
  ASSERT_TRUE(store_.save(attachment("red", "b", "net1")));

  const auto listing = store_.list();

  ASSERT_TRUE(listing);
  EXPECT_THAT(ids(*listing), ElementsAre("a", "b", "b"));
  EXPECT_THAT(listing->damaged, IsEmpty());
}

TEST_F(AttachmentStoreTest, ListsNothingBeforeAnythingWasSaved) {
  const auto listing = store_.list();

  ASSERT_TRUE(listing);
  EXPECT_THAT(listing->attachments, IsEmpty());
  EXPECT_THAT(listing->damaged, IsEmpty());
}

TEST_F(AttachmentStoreTest, ListsTheOthersBesideADamagedOne) {
  ASSERT_TRUE(store_.save(attachment("net", "a")));
  write("net/b:eth0", "{");
  ASSERT_TRUE(store_.save(attachment("net", "c")));

  const auto listing = store_.list();

  ASSERT_TRUE(listing);
  EXPECT_THAT(ids(*listing), ElementsAre("a", "c"));
  EXPECT_THAT(listing->damaged, ElementsAre(HasSubstr(file("net/b:eth0").string())));
}

TEST_F(AttachmentStoreTest, DoesNotListWhatIsBeingWritten) {
  ASSERT_TRUE(store_.save(attachment("net", "a")));
  write("net/.b:eth0.99.0", "{");

  const auto listing = store_.list();

  ASSERT_TRUE(listing);
  EXPECT_THAT(ids(*listing), ElementsAre("a"));
  EXPECT_THAT(listing->damaged, IsEmpty());
}

TEST_F(AttachmentStoreTest, RemovesOneAndTakesAnAbsentOneForDone) {
  ASSERT_TRUE(store_.save(attachment("net", "a")));
  ASSERT_TRUE(store_.save(attachment("net", "b")));

  const auto first = store_.remove("net", "a", "eth0");
  const auto again = store_.remove("net", "a", "eth0");
  const auto of_absent_network = store_.remove("absent", "a", "eth0");

  EXPECT_TRUE(first);
  EXPECT_TRUE(again);
  EXPECT_TRUE(of_absent_network);
  EXPECT_THAT(ids(store_.list().value()), ElementsAre("b"));
}

TEST_F(AttachmentStoreTest, RemovesADamagedRecord) {
  write("net/abc:eth0", "{");

  ASSERT_TRUE(store_.remove("net", "abc", "eth0"));

  EXPECT_EQ(store_.find("net", "abc", "eth0").value().has_value(), false);
}

// A later version of the plugin finds by these names what an earlier one made.
TEST(HostIfname, IsTheSameInEveryVersion) {
  EXPECT_EQ(host_ifname_for("k8s-pod-network", "0123456789abcdef", "eth0"), "veth1aa1c63584d");
}

TEST(HostIfname, DependsOnEachOfItsParts) {
  const std::set<std::string> names{
      host_ifname_for("net", "abc", "eth0"), host_ifname_for("other", "abc", "eth0"),
      host_ifname_for("net", "abd", "eth0"), host_ifname_for("net", "abc", "net1")};

  EXPECT_THAT(names, SizeIs(4));
}

TEST(HostIfname, IsAnotherForEachOfManyContainersAndFitsTheKernel) {
  std::set<std::string> names;

  for (int i = 0; i < 10000; ++i)
    names.insert(host_ifname_for("net", "container-" + std::to_string(i), "eth0"));

  EXPECT_THAT(names, SizeIs(10000));
  EXPECT_THAT(names, testing::Each(testing::MatchesRegex("veth[0-9a-f]+")));
  EXPECT_THAT(names, testing::Each(testing::SizeIs(15)));
}

}  // namespace
}  // namespace kubecni::test
