// SPDX-License-Identifier: Apache-2.0
#include "plugin/form.h"

#include <gtest/gtest.h>

namespace sluice::plugin {
namespace {

std::string field(const Form& form, std::string_view name) {
  return std::string(form.find(name).value_or("<absent>"));
}

TEST(Form, urlencoded) {
  const Form form = Form::of_urlencoded("b=2&a=%41+b&a=later&flag&empty=&=x&%63=3");
  EXPECT_EQ(field(form, "a"), "A b");
  EXPECT_EQ(field(form, "b"), "2");
  EXPECT_EQ(field(form, "c"), "3");
  EXPECT_EQ(field(form, "flag"), "true");
  EXPECT_EQ(field(form, "empty"), "");
  EXPECT_EQ(field(form, "none"), "<absent>");
  EXPECT_EQ(field(Form::of_urlencoded(""), ""), "<absent>");
}

TEST(Form, multipart) {
  const std::string body =
      "preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\ntwo\r\n"
      "--XX\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; filename=\"f;x\"; "
      "name=b\r\n\r\n\r\n"
      "--XX\r\nX: y\r\n\r\nno name\r\n--XX--\r\nepilogue";
  const Form form = Form::of_multipart(body, "multipart/form-data; charset=utf-8; Boundary=XX");
  EXPECT_EQ(form.size(), 2u);
  EXPECT_EQ(field(form, "a"), "one\r\ntwo");
  EXPECT_EQ(field(form, "b"), "");
  EXPECT_EQ(Form::of_multipart(body, "multipart/form-data; boundary=\"XX\"").size(), 2u);
  EXPECT_EQ(Form::of_multipart(body, "multipart/form-data").size(), 0u);
  EXPECT_EQ(Form::of_multipart(body, "multipart/form-data; boundary=YY").size(), 0u);
  EXPECT_EQ(Form::of_multipart(body.substr(0, 80), "multipart/form-data; boundary=XX").size(), 0u);
}

TEST(Form, has_no_fields_when_there_are_too_many) {
  std::string body;
  for (std::size_t i = 0; i <= Form::fields_max; ++i) body += "a=1&";
  EXPECT_EQ(Form::of_urlencoded(body).size(), 0u);
}

}  // namespace
}  // namespace sluice::plugin
