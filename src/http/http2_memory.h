// SPDX-License-Identifier: Apache-2.0
// Memory for nghttp2, which takes and gives back many small blocks a request: from free lists of the thread,
// a list for each of a few sizes. A session is made and ended on one thread.
#pragma once
#include <nghttp2/nghttp2.h>

namespace sluice::http {

// For nghttp2_session_*_new3. Of static life.
nghttp2_mem* http2_memory();

}  // namespace sluice::http
