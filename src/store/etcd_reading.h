// SPDX-License-Identifier: Apache-2.0
// Reads a whole range of keys from etcd, page by page, all as of the revision of the first. While one page is
// taken apart, etcd makes the next. One loop.
#pragma once
#include <string>
#include <vector>

#include "async/child.h"
#include "store/etcd_client.h"

namespace sluice::store {

class EtcdReading {
 public:
  EtcdReading(EtcdClient& client, etcd::KeyRange keys) : client_(client), left_(std::move(keys)) {}

  bool ended() const { return ended_; }
  // The next entries, by key. Not behind the end, nor after an error.
  async::Task<Result<std::vector<Entry>>> next();

  // Of the first page.
  Revision revision() const { return revision_; }
  const std::string& cluster() const { return cluster_; }

 private:
  // Asks for the page that begins at `from`.
  void ask(std::string from);
  async::Task<> fetch();
  async::Task<Result<std::string>> answer();
  void go_on_behind(const etcd::RangeAnswer& page);

  EtcdClient& client_;
  etcd::KeyRange left_;     // to be read
  std::int64_t limit_ = 0;  // of a page, entries
  Revision revision_ = 0;
  std::string cluster_;
  bool ended_ = false;
  std::string asked_from_;  // "": no page is asked for
  Result<std::string> fetched_;
  async::Child fetching_;
};

}  // namespace sluice::store
