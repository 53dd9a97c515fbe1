// SPDX-License-Identifier: Apache-2.0
#include "plugin/jwt.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace sluice::plugin {
namespace {

// Made with `openssl genpkey` and `openssl dgst -sign`, over {"alg":ALG,"typ":"JWT"} and {"key":"k"}; what HS
// algorithms share is "secret".
constexpr const char* rsa_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArChQI4MKITdtEgzvknuA\n"
    "tPi50jPJp8XxWIWmw2XWy1ZoDmuMxJX3J4DYIdQza04Je/Gt4zheFfhiDp4BZKu8\n"
    "zZF/WBrSQrafFa/Ccn02zvuGBZTQ1KMbBtDEqL1wZAwEqorEcWN7xoYTW1b1KIUn\n"
    "+J4ZMKjVNTg4KrXdUmf7n3IUlhe3dWBJMSlp1yabvwkAm51gNQLeYZ0AujgOer/W\n"
    "rrDz1xXS47hwPDMvGnHyspRwNNXDhgurl+2BCQb85uOrocEIMTKyvTf1IXAZrwVA\n"
    "/+Imo34qeOowvVuPoCV6Kz7suSay5lqtBvT3RCNgRQafLxdLEjfITwQh5jwCwdf+\n"
    "ewIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* p256_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEcUfoJdMIV1iXcxjIhcxhbzT9T+t4\n"
    "opqvrnP5GTLFNISa8TDW/K0GsBHqYHhtWlcEZtsqhHI9XoPL31wvn5PzQw==\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* p384_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAETYQvDDrIzZ760IZAe35m6/mJ2kFdyzYb\n"
    "K8cPPfjXPZ5EQSEbgjiwMf3+yC4KfBjIGhDHRX43HFHJAs7aaxwG9j8+LlHUu+HD\n"
    "aK8/jYzzY8pzujNJJc3CsNfk9DXlbIG0\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* p521_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAKOCT08qI7X7vcvuDQy3Y4N+1TabO\n"
    "O13fas32AZsmjmFAI6bKTIupGrMFkrSp/EWfxRnT3hMGHBHqLA5PjHynJw8Buxaq\n"
    "UWIc6gzsbB3+Ige6oKpBbu27WprOPF3u6P1lOd7wN52novLAbyDe79mvaCE8Gp23\n"
    "wHS0aOOce6dqhDTRt5Y=\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* ed_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAPrvGZWQlx0dk/mmuUioNsCjdZdzPCg29cUiH6hK7Kio=\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* hs256_signature =
    "2RibcZVHBRcwe4oAG-1bMrvB5b0uLivsGc7ZmWgBZO8";
constexpr const char* hs384_signature =
    "x-tJiIfv5SSwzWOMTvB3uJIxGjCg3SNf19kqCOlKrhc57qIDtcWnI8Y3p4EmxO9d";
constexpr const char* hs512_signature =
    "qd8xf_rJTi7-3-Pqu7K58tC3lo_6BVI4-8D2p69rTv_ZsM-1YuV37_WrKQF0V92zTdXp0Myqy79eCRHaaiUJ1Q";
constexpr const char* rs256_signature =
    "ooOhAaRovXpYohESURlDOyrRQFXdSWFiWhaIGoZmqJJL-4WETttSze6ZXgRJQX_GM_uAFSnhsm6EorN9aWXarLubYDHO3y5igJAk"
    "g0J8TwuGymB_VEKH07qQt80pSoB5c41FqzlgVlPMxDsqAwJ6aE_EuhauH4ZUHmbaNoQBqgL42Hgx0Z44EaaqRgTUkWtLhiuUfG4W"
    "V41DHCSmZMpJsD71mhy8T4YMpMDxKjm8NOLt8mRj11a9WGQd-eTAAJXmyas3GnSiCBqANNqNY20hmRR-p91Y-aBx9wbHynkPqomd"
    "6dg3PgHmi08woRM7NLjLxEY4y4o7DGnmwMPWSFe4Zw";
constexpr const char* rs384_signature =
    "PeHwl0okpw3znhuKnTsxDygkvfY5MKCrapQCQNCv2ZEF0Ccsr6Pdcyd0vO1WITIpSYdRKebkjH1H9K-LCdVUXL3QmNx_PY6aAIp-"
    "ugh62MhmsCyB-vBjP0hhFCY8htYSf7aHh9KAn_owSd__PAosQYwp2z2VcT5hRQ9XanWxghX_OMFwI2zYovuhnE1dV6kK_VTJzmBH"
    "zQqdKkciqM7GlbRK7L94R8xefAETirGccNbzSNYjD6VwVWKapX82v6YZDrCX0_t5hdewBCQasANcTSTeQFM5CRgcUA3TQvaZRakj"
    "-46RuPXfYRmcyFlx3YrIZC6UufbdiMPi79yRGzFB2Q";
constexpr const char* rs512_signature =
    "YZFJEx4vEBBgdIM1xD77VEm0nsOGBpNcHl96NMsBsiFNDB6UzjgNvHeQi0RWPpTF31DcjVOUNrJP5pD4A_yLIEtkN78h_P2HL3c9"
    "IPa2r__sjBiEXyZu9P2VuM3LR9QYGUM0FXwU3oDnwlUMXKA1Hs9P9lHtjkafKPlXJAtFLRlpJ3DTsuSu3HCftRhuoqNVK7SBt2D4"
    "16B9wzYLyfrG2USW_a1VciFR9xj6woI-rP_CCoNqNTmuwYo-nfGX_G7g6OoKcanNGqhcj03tq1Q4FfevYhSipiBz8yI2YwUD8HYn"
    "mJevMBdVljom56Uhc9cDVnJkKN48eqf35TM9HGXkhw";
constexpr const char* es256_signature =
    "AHBlFM7MxowyPuq70MeABOBuaVDJ4BAWJWM9j-eErMljEdkym9scTjEdg3asU055YR59AdO5uvG1MlL5AxABbA";
constexpr const char* es384_signature =
    "YtTDrI1Ev-JbenTVD5Xmw2lNe2Or02ZsV9tX0NJ5LmNKFrpfoqGRAQthTU23DAAqnT_g0q7tZKbPidJUOs9W2FGRHlYLR1vw-0EY"
    "IDM2TnovQFD-XiojgfxdWBOE12ie";
constexpr const char* es512_signature =
    "Aagin8mU_LKxa_X6dwq5_S1BvCBC9t42ONKNrD2l8xPNT1_O_ODCYEKxd8873L9NumYtg6ic3ickd6pjT7QQW514AYEsUC7_8fJO"
    "Zw9Uh0Gm4-GcDbMILbX3LoiidFynxlQq-fQJf8fq5ke2lHKnMLu1u3oEMrfr-1UvusbcSkDcCbz8";
constexpr const char* ps256_signature =
    "IJSsFUKAcp7WKppIaLb_sPgSOsP3BgxkATTazUJWeaqy5dOk-5Z-Ne9-uMkbb48yqzPTtVxgoktwH4XrtciJeUEBLUUtTMU72aFX"
    "IMiUdYClxr_jDJelB3Ws8pXx82qGTyMBifP3nnIjAu8nRSy-B_p4MlNDKEgck0MZ2sMPuYDDTldLOOlripa3WuZh9Mo5dWxVJO6f"
    "hdg5JjMvTiO7Eq6x6L9VrWNLDLPnO9-4xP46ApQfJDqKsAkddeaQNw8Qf9YiBoEvGNZ1pXAv_gAWa3HglDV0yS9_bqSFKMGNrO95"
    "_ggxDALILRlG3rJ1ZqpB4Eqeslnp0_Pv_U6FjajSVA";
constexpr const char* ps384_signature =
    "bCLQeAub2Hb_6f6Ilj_bgHTjlXtkEv_tFMXMbWtFKWR8jKSNkvX2_JE4wmGpKb1H__cD55B07TGSRrqZsqDG5rlbbclz-ANisXLW"
    "L79mTItDjZ6DR848gIrXY3WtEIJYPRA0yld7NCCycVmqVeA3QLAoi4-eSxcCj7doGfFZgtKghQOhPVHZcGGdP2zqkZWlnWxwcvP2"
    "rw63wA2rJCIm_DniAxRVG370sdQR08PrqnyYPOSY_skMyeGT73rYa22ankHyKv8Sdra2SzUQ2IMokOZk1aaK_Z5rl4Mg9MbfObfB"
    "d75ZaG5Ely2MdTpH-utqwET49BgrUl3h57aw8qauLg";
constexpr const char* ps512_signature =
    "fxvHa2swVi97I_3h8od6togp_DHBVMFDQn0FgV0_8slS5mQheH_-ak5Qk_6vefOZc90b88ks7KrqvrS7oLTa7uN8UBiSFTJLVGYP"
    "WXB315LDSMhInAipVBUS1JIfn3N9V3r6ng3Ysdkt0Dv2VAkIUxq3AJMVckQwcgva0UV0cmH2YGdOncRJ-2rv1LJ3o5tBBSY1E8aT"
    "fJflin5gVNto8z96sFAKBa0YT1L2t2CRZfXB_Gyk6kZp2khxcgAlee2bM0PASCO_WA8ldOtDWY3H9mN2WHtK721fNNmk8_QKfoMZ"
    "EMKHdgNizlwDVLYxOxUHJzeXUJtPUr3hYm8FwnDGOw";
constexpr const char* eddsa_signature =
    "1B0tUmkdZXGNdHD1sbV2T4BCM6MXTUE7spKn3fFdbr3N63_Hr4zPOKJWDhj_0rn1PZCjhN29VBCTz22GOgc4Cg";

std::string token(const std::string& header, const std::string& payload, std::string_view signature) {
  std::string out;
  base64_encode(header, out, Base64::url);
  out.push_back('.');
  base64_encode(payload, out, Base64::url);
  return out.append(".").append(signature);
}
std::string signed_by(const std::string& algorithm, std::string_view signature) {
  return token(R"({"alg":")" + algorithm + R"(","typ":"JWT"})", R"({"key":"k"})", signature);
}

struct Vector {
  const char *algorithm, *key, *signature;
};
const Vector vectors[] = {
    {"HS256", "secret", hs256_signature}, {"HS384", "secret", hs384_signature},
    {"HS512", "secret", hs512_signature}, {"RS256", rsa_key, rs256_signature},
    {"RS384", rsa_key, rs384_signature},  {"RS512", rsa_key, rs512_signature},
    {"ES256", p256_key, es256_signature}, {"ES384", p384_key, es384_signature},
    {"ES512", p521_key, es512_signature}, {"PS256", rsa_key, ps256_signature},
    {"PS384", rsa_key, ps384_signature},  {"PS512", rsa_key, ps512_signature},
    {"EdDSA", ed_key, eddsa_signature},
};

TEST(Jwt, every_algorithm_verifies_its_own_and_nothing_else) {
  for (const auto& vector : vectors) {
    const auto key = JwtKey::make(vector.algorithm, std::string_view(vector.key));
    ASSERT_TRUE(key) << vector.algorithm << ": " << key.error().what;
    for (const auto& other : vectors) {
      const std::string text = signed_by(other.algorithm, other.signature);
      const auto jwt = parse_jwt(text);
      ASSERT_TRUE(jwt) << jwt.error().what;
      EXPECT_EQ(key->verifies(*jwt), &vector == &other) << vector.algorithm << " of " << other.algorithm;
    }
    std::string changed = signed_by(vector.algorithm, vector.signature);
    changed[changed.size() - 8] = changed[changed.size() - 8] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(key->verifies(*parse_jwt(changed))) << vector.algorithm;
    const std::string empty = signed_by(vector.algorithm, "");
    EXPECT_FALSE(key->verifies(*parse_jwt(empty))) << vector.algorithm;
  }
}

TEST(Jwt, no_token_chooses_how_it_is_verified) {
  const auto rsa = JwtKey::make("RS256", std::string_view(rsa_key));
  ASSERT_TRUE(rsa);
  for (const char* header :
       {R"({"alg":"none"})", R"({"alg":"None"})", R"({})", R"({"alg":null})", R"({"alg":["RS256"]})"}) {
    const std::string text = token(header, R"({"key":"k"})", "");
    const auto jwt = parse_jwt(text);
    ASSERT_TRUE(jwt);
    EXPECT_FALSE(rsa->verifies(*jwt)) << header;
  }
  // The public key taken for an HMAC secret.
  const std::string text = signed_by("HS256", hs256_signature);
  EXPECT_FALSE(rsa->verifies(*parse_jwt(text)));
  EXPECT_FALSE(JwtKey().verifies(*parse_jwt(text)));
}

TEST(Jwt, keys_have_to_suit) {
  const Vector bad[] = {{"ES256", p384_key, ""}, {"ES256", rsa_key, ""}, {"RS256", p256_key, ""},
                        {"EdDSA", rsa_key, ""},  {"RS256", "secret", ""}, {"PS256", ed_key, ""},
                        {"RS256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", ""}};
  for (const auto& row : bad)
    EXPECT_FALSE(JwtKey::make(row.algorithm, std::string_view(row.key))) << row.algorithm;
}

TEST(Jwt, refuses_what_is_none) {
  const std::string good = signed_by("HS256", hs256_signature);
  const std::string rows[] = {"", ".", "..", "a.b", "a.b.c", good + ".x", good.substr(0, good.size() / 2),
                              token("[]", "{}", "aa"), token("{}", "7", "aa"), token("{", "{}", "aa"),
                              "\xff.\xff.\xff", std::string(Jwt::bytes_max + 1, 'a'), good + "="};
  for (const auto& row : rows) {
    const auto jwt = parse_jwt(row);
    if (row == good + "=") EXPECT_TRUE(jwt) << "padding of Base64 is put up with";
    else EXPECT_FALSE(jwt) << row.substr(0, 60);
  }
}

TEST(JwtTimes, hold_within_the_leeway) {
  const auto times = [](json::Value payload) {
    JwtTimes read;
    return JwtTimes::read(payload, read) ? std::optional(read) : std::nullopt;
  };
  const auto exp = times(json::Value::object({{"exp", 100}}));
  ASSERT_TRUE(exp);
  EXPECT_TRUE(exp->hold(99, 0));
  EXPECT_FALSE(exp->hold(100, 0));
  EXPECT_TRUE(exp->hold(100, 1));
  const auto nbf = times(json::Value::object({{"nbf", 100}}));
  EXPECT_FALSE(nbf->hold(100, 0));
  EXPECT_TRUE(nbf->hold(101, 0));
  EXPECT_TRUE(nbf->hold(100, 1));
  EXPECT_TRUE(times(json::Value::object())->hold(0, 0));
  EXPECT_FALSE(times(json::Value::object({{"exp", "100"}})));
  EXPECT_FALSE(times(json::Value::object({{"nbf", nullptr}})));
}

}  // namespace
}  // namespace sluice::plugin
