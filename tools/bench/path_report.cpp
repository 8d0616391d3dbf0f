#include "bench/path_report.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iterator>
#include <ostream>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

namespace kubecni::bench {

using nlohmann::json;

namespace {

const WorkInfo& info_of(Work work) {
  return *std::ranges::find_if(kWorks, [&](const WorkInfo& info) { return info.work == work; });
}

const char* name_of(Cores cores) { return cores == Cores::kTwo ? "two" : "one"; }

/// Three significant digits are more than a run can promise.
std::string number(double value) {
  std::ostringstream text;
  const double size = std::abs(value);
  text << std::fixed
       << std::setprecision(size >= 100  ? 0
                            : size >= 10 ? 1
                            : size >= 1  ? 2
                                         : 3)
       << value;
  return text.str();
}

/// "81234 (80111 - 81500)".
std::string with_spread(const Summary& summary) {
  return number(summary.median) + " (" + number(summary.min) + " - " + number(summary.max) + ")";
}

std::string ratio_text(double ratio) { return ratio == 0 ? "" : number(ratio); }

json spread_json(const Summary& summary) {
  return {{"median", summary.median},
          {"min", summary.min},
          {"max", summary.max},
          {"samples", summary.samples}};
}

// For the summary and the chart.
constexpr Work kSummaryWorks[] = {Work::kRequests, Work::kConnects, Work::kUdp64};

void print_head(std::ostream& out, const PathRow& row) {
  const WorkInfo& info = info_of(row.work);
  out << "\n"
      << row.group << ", " << info.title << ", " << name_of(row.cores)
      << (row.cores == Cores::kOne ? " core" : " cores") << ":\n\n| candidate | " << info.unit
      << " (spread) | of the limit | of the reference | " << info.cpu_unit
      << " | of the limit | of the reference | ";
  if (row.p50_us.samples != 0) out << "p50 us | p99 us | ";
  out << "eBPF % |\n| --- |" << (row.p50_us.samples != 0 ? " ---: | ---: |" : "")
      << " ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
}

void print_row(std::ostream& out, const PathRow& row, const std::vector<PathRow>& rows) {
  const PathRatios to_limit = ratios_to(row.limit, row, rows);
  const PathRatios to_reference = ratios_to(row.reference, row, rows);
  out << "| " << row.candidate << " | " << with_spread(row.rate) << " | "
      << ratio_text(to_limit.rate) << " | " << ratio_text(to_reference.rate) << " | "
      << number(row.cpu.median) << " | " << ratio_text(to_limit.cpu) << " | "
      << ratio_text(to_reference.cpu) << " | ";
  if (row.p50_us.samples != 0)
    out << number(row.p50_us.median) << " | " << number(row.p99_us.median) << " | ";
  if (row.ebpf_share.samples != 0) out << std::lround(100 * row.ebpf_share.median) << " ";
  out << "|\n";
}

void print_table(std::ostream& out, const std::vector<PathRow>& rows, const std::string& group,
                 const WorkInfo& info, Cores cores) {
  bool has_head = false;
  for (const PathRow& row : rows) {
    if (row.group != group || row.work != info.work || row.cores != cores) continue;
    if (!std::exchange(has_head, true)) print_head(out, row);
    print_row(out, row, rows);
  }
}

const PathRow* find_row(const std::vector<PathRow>& rows, const PathRow& like, Work work,
                        Cores cores) {
  const auto found = std::ranges::find_if(rows, [&](const PathRow& row) {
    return row.group == like.group && row.candidate == like.candidate && row.work == work &&
           row.cores == cores;
  });
  return found == rows.end() ? nullptr : &*found;
}

/// What one candidate costs: three cells for each of kSummaryWorks, on one core.
void print_costs(std::ostream& out, const PathRow& like, const std::vector<PathRow>& rows) {
  for (const Work work : kSummaryWorks) {
    const PathRow* row = find_row(rows, like, work, Cores::kOne);
    if (!row) {
      out << " | | | |";
      continue;
    }
    out << " " << number(row->cpu.median) << " | "
        << ratio_text(ratios_to(row->limit, *row, rows).cpu) << " | "
        << ratio_text(ratios_to(row->reference, *row, rows).cpu) << " |";
  }
}

/// A row for each candidate of the group, with what matters most.
void print_summary(std::ostream& out, const std::vector<PathRow>& rows, const std::string& group) {
  std::set<std::string> printed;
  for (const PathRow& like : rows) {
    if (like.group != group || !printed.insert(like.candidate).second) continue;
    if (printed.size() == 1) {
      out << "\n" << group << ", CPU time on one core, and a stream on two:\n\n| candidate |";
      for (const Work work : kSummaryWorks)
        out << " " << info_of(work).title << " us | of the limit | of the reference |";
      out << " TCP stream Gbit/s | eBPF % |\n| --- |";
      for (int column = 0; column < 11; ++column) out << " ---: |";
      out << "\n";
    }
    out << "| " << like.candidate << " |";
    print_costs(out, like, rows);
    const PathRow* stream = find_row(rows, like, Work::kStream1, Cores::kTwo);
    out << " " << (stream ? number(stream->rate.median) : "") << " | "
        << (like.ebpf_share.samples != 0 ? std::to_string(std::lround(100 * like.ebpf_share.median))
                                         : "")
        << " |\n";
  }
}

std::vector<PathRow> chart_rows(const std::vector<PathRow>& rows, const std::string& group) {
  std::vector<PathRow> found;
  for (const PathRow& row : rows)
    if (row.group == group && row.work == kSummaryWorks[0] && row.cores == Cores::kOne)
      found.push_back(row);
  return found;
}

/// The CPU time of the candidate with another work, relative to its reference; "NaN" draws nothing.
std::string chart_value(const PathRow& like, Work work, const std::vector<PathRow>& rows) {
  const PathRow* row = find_row(rows, like, work, like.cores);
  return row ? number(ratios_to(row->reference, *row, rows).cpu) : "NaN";
}

}  // namespace

PathRatios ratios_to(const std::string& other, const PathRow& row,
                     const std::vector<PathRow>& rows) {
  for (const PathRow& base : rows)
    if (base.group == row.group && base.candidate == other && base.work == row.work &&
        base.cores == row.cores && base.rate.median > 0 && base.cpu.median > 0)
      return {.rate = row.rate.median / base.rate.median, .cpu = row.cpu.median / base.cpu.median};
  return {};
}

void print_markdown(std::ostream& out, const Facts& facts, const std::vector<PathRow>& rows) {
  for (const auto& [name, value] : facts) out << "* " << name << ": " << value << "\n";
  for (const auto& group : all_groups()) print_summary(out, rows, group);
  for (const auto& group : all_groups())
    for (const WorkInfo& info : kWorks)
      for (const Cores cores : {Cores::kTwo, Cores::kOne})
        print_table(out, rows, group, info, cores);
}

json to_json(const Facts& facts, const std::vector<PathRow>& rows) {
  json named = json::object(), list = json::array();
  for (const auto& [name, value] : facts) named[name] = value;
  for (const PathRow& row : rows) {
    const WorkInfo& info = info_of(row.work);
    const PathRatios to_limit = ratios_to(row.limit, row, rows);
    const PathRatios to_reference = ratios_to(row.reference, row, rows);
    json each{{"group", row.group},
              {"candidate", row.candidate},
              {"work", info.name},
              {"cores", name_of(row.cores)},
              {"unit", info.unit},
              {"rate", spread_json(row.rate)},
              {"cpuUnit", info.cpu_unit},
              {"cpu", spread_json(row.cpu)},
              {"limit", row.limit},
              {"reference", row.reference},
              {"rateToLimit", to_limit.rate},
              {"rateToReference", to_reference.rate},
              {"cpuToLimit", to_limit.cpu},
              {"cpuToReference", to_reference.cpu}};
    if (row.ebpf_share.samples != 0) each["ebpfShare"] = spread_json(row.ebpf_share);
    if (row.p50_us.samples != 0) {
      each["p50Us"] = spread_json(row.p50_us);
      each["p99Us"] = spread_json(row.p99_us);
    }
    list.push_back(std::move(each));
  }
  return {{"facts", named}, {"rows", list}};
}

void print_csv(std::ostream& out, const std::vector<PathRow>& rows) {
  out << "group,candidate,work,cores,rounds,unit,rate,rate_min,rate_max,rate_to_limit,"
         "rate_to_reference,cpu_unit,cpu,cpu_min,cpu_max,cpu_to_limit,cpu_to_reference,p50_us,"
         "p99_us,ebpf_share\n";
  for (const PathRow& row : rows) {
    const WorkInfo& info = info_of(row.work);
    const PathRatios to_limit = ratios_to(row.limit, row, rows);
    const PathRatios to_reference = ratios_to(row.reference, row, rows);
    out << row.group << ",\"" << row.candidate << "\"," << info.name << "," << name_of(row.cores)
        << "," << row.rate.samples << "," << info.unit << "," << row.rate.median << ","
        << row.rate.min << "," << row.rate.max << "," << to_limit.rate << "," << to_reference.rate
        << "," << info.cpu_unit << "," << row.cpu.median << "," << row.cpu.min << "," << row.cpu.max
        << "," << to_limit.cpu << "," << to_reference.cpu << "," << row.p50_us.median << ","
        << row.p99_us.median << "," << row.ebpf_share.median << "\n";
  }
}

std::string gnuplot_script(const std::vector<PathRow>& rows) {
  std::ostringstream data, plots;
  unsigned charts = 0;
  for (const auto& group : all_groups()) {
    const auto bars = chart_rows(rows, group);
    if (bars.empty()) continue;
    const std::string block = "$chart" + std::to_string(charts++);
    data << block << " << EOD\n";
    for (const PathRow& row : bars) {
      data << "\"" << row.candidate << "\"";
      for (const Work work : kSummaryWorks) data << " " << chart_value(row, work, rows);
      data << "\n";
    }
    data << "EOD\n";
    plots << "set title '" << group << ": CPU time on one core, relative to the reference'\nplot ";
    for (std::size_t i = 0; i < std::size(kSummaryWorks); ++i)
      plots << block << " using " << i + 2 << (i == 0 ? ":xtic(1)" : "") << " title '"
            << info_of(kSummaryWorks[i]).title << "', ";
    plots << "1 with lines notitle linecolor rgb 'black'\n";
  }
  if (charts == 0) return "";
  return "set terminal svg size 1000," + std::to_string(420 * charts) +
         " font 'sans-serif,13' background 'white'\n"
         "set style data histogram\nset style histogram clustered gap 1\n"
         "set style fill solid 0.8 noborder\nset yrange [0:*]\nset grid ytics\n"
         "set xtics rotate by -18 nomirror\nset key outside right top\n" +
         data.str() + "set multiplot layout " + std::to_string(charts) + ",1\n" + plots.str() +
         "unset multiplot\n";
}

}  // namespace kubecni::bench
