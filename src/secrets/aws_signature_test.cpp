// SPDX-License-Identifier: Apache-2.0
#include "secrets/aws_signature.h"

#include <gtest/gtest.h>

namespace sluice::secrets {
namespace {

const AwsIdentity example{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service"};

// AWS's published test suite for Signature Version 4.
TEST(AwsSignature, KnowsAwssTestSuite) {
  struct {
    std::string_view name;
    AwsRequest request;
    std::string_view signed_headers, signature;
  } table[]{
      {"get-vanilla",
       {"GET", "/", "", {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}}, ""},
       "host;x-amz-date",
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"post-vanilla",
       {"POST", "/", "", {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}}, ""},
       "host;x-amz-date",
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"post-header-value-case",
       {"POST",
        "/",
        "",
        {{"host", "example.amazonaws.com"}, {"my-header1", "VALUE1"}, {"x-amz-date", "20150830T123600Z"}},
        ""},
       "host;my-header1;x-amz-date",
       "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
      {"get-vanilla-query-order-key-case",
       {"GET",
        "/",
        "Param1=value1&Param2=value2",
        {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}},
        ""},
       "host;x-amz-date",
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"post-x-www-form-urlencoded",
       {"POST",
        "/",
        "",
        {{"content-type", "application/x-www-form-urlencoded"},
         {"host", "example.amazonaws.com"},
         {"x-amz-date", "20150830T123600Z"}},
        "Param1=value1"},
       "content-type;host;x-amz-date",
       "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
  };
  for (const auto& row : table) {
    const std::string wanted =
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" +
        std::string(row.signed_headers) + ", Signature=" + std::string(row.signature);
    EXPECT_EQ(aws_authorization(row.request, example), wanted) << row.name;
  }
}

TEST(AwsSignature, DatesAreIso) {
  EXPECT_EQ(aws_date(1'440'938'160), "20150830T123600Z");
  EXPECT_EQ(aws_date(0), "19700101T000000Z");
}

}  // namespace
}  // namespace sluice::secrets
