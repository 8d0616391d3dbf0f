#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace kubecni {

/// A line of an answer of BIRD. Codes from 8000 on are errors.
struct BirdLine {
  unsigned code = 0;
  std::string text;

  bool operator==(const BirdLine&) const = default;
};

/// Reads the lines of one answer from the beginning of `text`, and cuts them off. False: it is not
/// complete. Source: doc/reply_codes of BIRD. Pure.
bool take_answer(std::string& text, std::vector<BirdLine>& lines);

/// A connection to BIRD's control socket, as birdc has it.
class BirdClient {
 public:
  /// Errors: ENOENT, ECONNREFUSED nobody listens; ETIMEDOUT no greeting in time.
  static Result<BirdClient> connect(const std::filesystem::path& socket,
                                    std::chrono::milliseconds deadline = kPatience);

  /// The answer to `command` ("show protocols").
  /// Errors: ECANCELED BIRD refuses, with its reason; ETIMEDOUT no answer; EPIPE BIRD has ended.
  Result<std::vector<BirdLine>> ask(const std::string& command,
                                    std::chrono::milliseconds deadline = kPatience);

  /// Readable when BIRD has ended.
  [[nodiscard]] int fd() const { return fd_.get(); }

  static constexpr std::chrono::milliseconds kPatience{2000};

 private:
  BirdClient(UniqueFd fd, std::filesystem::path socket)
      : fd_(std::move(fd)), socket_(std::move(socket)) {}
  Result<std::vector<BirdLine>> read_answer(std::chrono::milliseconds deadline);

  UniqueFd fd_;
  std::filesystem::path socket_;
  std::string unread_;
};

}  // namespace kubecni
