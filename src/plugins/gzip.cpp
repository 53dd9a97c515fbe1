// SPDX-License-Identifier: Apache-2.0
#include "plugin/compression.h"

namespace sluice::plugins {
namespace {

struct Buffers {
  std::int64_t number = 32, size = 4096;

  void describe(json::Fields& field) {
    field("number", number, "Number of nginx's buffers; means nothing here.").at_least(1);
    field("size", size, "Bytes of each; means nothing here.").at_least(1);
    field.open();
  }
};

}  // namespace

// Compresses responses with gzip for clients that accept it.
class Gzip final : public plugin::CompressingPlugin {
 public:
  struct Config {
    plugin::CompressionConfig compression;
    int comp_level = 1;
    Buffers buffers;

    void describe(json::Fields& field) {
      compression.describe(field);
      field("comp_level", comp_level, "1 (fast) to 9 (small).").range(1, 9);
      field("buffers", buffers, "Buffers of nginx's compressor; this one needs none.");
      field.open();
    }
  };

  explicit Gzip(const Config& config)
      : CompressingPlugin("gzip", config.compression, [level = config.comp_level](std::int64_t size) {
          return make_gzip_compressor(level, size);
        }) {}
};

extern constexpr plugin::PluginType gzip = plugin::plugin<Gzip>({
    .name = "gzip",
    .summary = "Compresses responses with gzip for clients that accept it.",
    .priority = 995,
    .example = R"({"types": ["text/html", "application/json"], "comp_level": 3, "vary": true})",
});

}  // namespace sluice::plugins
