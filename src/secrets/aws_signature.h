// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4: the Authorization field of a request, so that the service knows who asks and that
// nothing was changed on the way. Pure functions, any thread.
#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace sluice::secrets {

struct AwsIdentity {
  std::string access_key_id, secret_access_key;
  std::string region, service;
};

// What is signed. The names of fields are in lower case; `host` and `x-amz-date` are among them.
struct AwsRequest {
  std::string method = "POST";
  std::string path = "/";  // encoded
  std::string query;       // canonical: encoded, in order
  std::map<std::string, std::string> headers;
  std::string body;
};

// "20150830T123600Z" of Unix seconds.
std::string aws_date(std::int64_t unix_seconds);
std::string aws_authorization(const AwsRequest& request, const AwsIdentity& identity);

}  // namespace sluice::secrets
