// SPDX-License-Identifier: Apache-2.0
#include "plugin/compression.h"

namespace sluice::plugins {

// Compresses responses with brotli for clients that accept it; goes before gzip.
class Brotli final : public plugin::CompressingPlugin {
 public:
  struct Config {
    plugin::CompressionConfig compression;
    int comp_level = 6, mode = 0, lgwin = 19, lgblock = 0;

    void describe(json::Fields& field) {
      compression.describe(field);
      field("comp_level", comp_level, "0 (fast) to 11 (small).").range(0, 11);
      field("mode", mode, "What the compressor expects: 0 anything, 1 text, 2 fonts of WOFF 2.0.")
          .range(0, 2);
      field("lgwin", lgwin, "Logarithm of the window's bytes; 0: the library's own.")
          .one_of({0, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24});
      field("lgblock", lgblock, "Logarithm of a block's bytes; 0: chosen by comp_level.")
          .one_of({0, 16, 17, 18, 19, 20, 21, 22, 23, 24});
      field.open();
    }
  };

  explicit Brotli(const Config& config)
      : CompressingPlugin(
            "br", config.compression,
            [options = BrotliOptions{config.mode, config.comp_level, config.lgwin, config.lgblock}](
                         std::int64_t) { return make_brotli_compressor(options); }) {}
};

extern constexpr plugin::PluginType brotli = plugin::plugin<Brotli>({
    .name = "brotli",
    .summary = "Compresses responses with brotli for clients that accept it.",
    .priority = 996,
    .example = R"({"types": "*", "comp_level": 5})",
});

}  // namespace sluice::plugins
